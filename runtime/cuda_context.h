#pragma once
// The context that everything of one GPU in this process lives in, and what can go wrong in it.
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "runtime/cuda_driver.h"

namespace pg {

/// One life of a GPU's primary context. A sticky error ends it: modules, buffers, streams and events are gone with it, and
/// what still holds one gives nothing back. The next life begins with another CudaContext.
class CudaContext {
 public:
  /// `name` is the device's, for messages. Throws UserError when the driver gives no context.
  CudaContext(std::shared_ptr<const CudaDriver>, int ordinal, std::string name);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  const CudaDriver& driver() const { return *driver_; }
  const std::string& name() const { return name_; }
  /// Makes it the calling thread's.
  void make_current();
  bool is_lost() const { return lost_; }
  /// Makes it current for giving something back; false when it is lost and nothing can be.
  bool takes_back() noexcept;
  /// Whether the GPU takes work again after the loss.
  bool is_recovered() const { return recovered_; }
  /// What was said when it was lost.
  std::string last_words() const {
    std::lock_guard lock(mutex_);
    return last_words_;
  }

  /// Throws unless Success: `doing` says what failed ("copying 512 bytes"). A sticky error is one of the kernels that ran,
  /// not of what noticed it: this resets the GPU and throws an InternalError that says what became of it.
  void check(cu::Result result, const std::string& doing) {
    if (result != cu::Result::Success) fail(result, doing);
  }
  /// Kernels that run until `all_done` are those that a sticky error may come from.
  void launched(const std::string& kernel);
  void all_done();

 private:
  [[noreturn]] void fail(cu::Result, const std::string& doing);
  void lose(cu::Result, const std::string& doing);
  bool reset();
  std::string suspects() const;

  std::shared_ptr<const CudaDriver> driver_;
  cu::DeviceId device_ = 0;
  cu::Context context_ = nullptr;
  std::string name_;
  mutable std::mutex mutex_;  // of what follows
  std::deque<std::string> running_;
  size_t more_running_ = 0;
  std::atomic<bool> lost_{false}, recovered_{false};
  std::string last_words_;
};

/// Owns what `Destroy`, a function of the driver, gives back.
template <class Handle, auto Destroy>
class CudaHandle {
 public:
  CudaHandle() = default;
  CudaHandle(std::shared_ptr<CudaContext> context, Handle handle) : context_(std::move(context)), handle_(handle) {}
  CudaHandle(CudaHandle&& o) noexcept : context_(std::move(o.context_)), handle_(std::exchange(o.handle_, Handle{})) {}
  CudaHandle& operator=(CudaHandle&& o) noexcept {
    std::swap(context_, o.context_);
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~CudaHandle() {
    if (handle_ && context_->takes_back()) (context_->driver().operator->()->*Destroy)(handle_);
  }
  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Handle{}; }
  const std::shared_ptr<CudaContext>& context() const { return context_; }

 private:
  std::shared_ptr<CudaContext> context_;
  Handle handle_{};
};

}  // namespace pg
