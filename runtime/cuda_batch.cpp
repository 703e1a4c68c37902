#include "runtime/cuda_batch.h"

namespace pg {

CudaBatch::CudaBatch(CudaDevice& device, const std::function<void()>& enqueue) : gpu_(device.gpu()), life_(gpu_->life()) {
  CudaContext& context = *life_->context;
  const CudaDriver& driver = context.driver();
  const cu::Stream stream = life_->stream.get();
  using Graph = CudaHandle<cu::Graph, &CudaDriver::Functions::graph_destroy>;
  cu::Graph recorded = nullptr;
  context.check(driver->stream_begin_capture(stream, cu::kCaptureRelaxed), "recording a batch");
  try {
    enqueue();
  } catch (const std::exception&) {  // the stream must not stay in the state of being recorded
    if (driver->stream_end_capture(stream, &recorded) == cu::Result::Success) Graph(life_->context, recorded);
    throw;
  }
  context.check(driver->stream_end_capture(stream, &recorded), "recording a batch");
  const Graph graph(life_->context, recorded);
  cu::GraphExec exec = nullptr;
  context.check(driver->graph_instantiate(&exec, graph.get(), 0), "instantiating a batch");
  exec_ = {life_->context, exec};
}

void CudaBatch::replay() {
  if (gpu_->life() != life_) throw InternalError(gpu_->name() + ": a batch was lost with its context");
  life_->context->check(life_->context->driver()->graph_launch(exec_.get(), life_->stream.get()), "launching a batch");
}

}  // namespace pg
