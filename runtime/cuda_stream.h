#pragma once
// Streams and events: the order of work on a GPU, and the time that it takes.
#include "runtime/cuda_context.h"

namespace pg {

class CudaStream {
 public:
  CudaStream() = default;
  explicit CudaStream(const std::shared_ptr<CudaContext>& context) {
    context->make_current();
    cu::Stream s = nullptr;
    context->check(context->driver()->stream_create(&s, cu::kStreamNonBlocking), "creating a stream");
    handle_ = {context, s};
  }
  cu::Stream get() const { return handle_.get(); }
  /// Returns when all its work is done. A kernel's error comes out here.
  void synchronize() const {
    CudaContext& c = *handle_.context();
    c.check(c.driver()->stream_synchronize(get()), "waiting for the GPU");
    c.all_done();
  }

 private:
  CudaHandle<cu::Stream, &CudaDriver::Functions::stream_destroy> handle_;
};

class CudaEvent {
 public:
  CudaEvent() = default;
  /// `flags`: cu::kEventDefault takes the time, cu::kEventDisableTiming only orders.
  CudaEvent(const std::shared_ptr<CudaContext>& context, unsigned flags) {
    context->make_current();
    cu::Event e = nullptr;
    context->check(context->driver()->event_create(&e, flags), "creating an event");
    handle_ = {context, e};
  }
  cu::Event get() const { return handle_.get(); }
  void record(cu::Stream stream) const {
    CudaContext& c = *handle_.context();
    c.check(c.driver()->event_record(handle_.get(), stream), "recording an event");
  }
  /// Returns when all that was before it is done; at once where it was never recorded.
  void wait() const {
    CudaContext& c = *handle_.context();
    c.check(c.driver()->event_synchronize(handle_.get()), "waiting for the GPU");
  }
  /// Milliseconds from `start` to this one; both have happened.
  float ms_since(const CudaEvent& start) const {
    CudaContext& c = *handle_.context();
    float ms = 0;
    c.check(c.driver()->event_elapsed_time(&ms, start.handle_.get(), handle_.get()), "reading the time of an event");
    return ms;
  }

 private:
  CudaHandle<cu::Event, &CudaDriver::Functions::event_destroy> handle_;
};

}  // namespace pg
