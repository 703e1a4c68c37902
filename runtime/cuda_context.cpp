#include "runtime/cuda_context.h"

#include "uops/error.h"

namespace pg {

namespace {
using cu::Result;
constexpr size_t kNamed = 4;  // suspects that a message names
}  // namespace

CudaContext::CudaContext(std::shared_ptr<const CudaDriver> driver, int ordinal, std::string name)
    : driver_(std::move(driver)), name_(std::move(name)) {
  const CudaDriver& d = *driver_;
  Result r = d->device_get(&device_, ordinal);
  if (r == Result::Success) r = d->primary_ctx_retain(&context_, device_);
  if (r == Result::Success) return;
  if (r == Result::OutOfMemory)
    throw UserError(name_ +
                    ": no memory is left on the GPU for a context: end other processes that use it (nvidia-smi lists them)");
  if (r == Result::DeviceUnavailable)
    throw UserError(name_ + ": another process has the GPU for itself: " + d.words(r) +
                    ": end that process, or set the compute mode to default (nvidia-smi -c DEFAULT)");
  throw UserError(name_ + ": the driver gives no context: " + d.words(r) + ": look at nvidia-smi");
}

CudaContext::~CudaContext() {
  if (!lost_ && context_) (*driver_)->primary_ctx_release(device_);
}

void CudaContext::make_current() {
  if (lost_) throw InternalError(last_words());
  check((*driver_)->ctx_set_current(context_), "making the context current");
}

bool CudaContext::takes_back() noexcept { return !lost_ && (*driver_)->ctx_set_current(context_) == Result::Success; }

void CudaContext::launched(const std::string& kernel) {
  std::lock_guard lock(mutex_);
  if (!running_.empty() && running_.back() == kernel) return;
  running_.push_back(kernel);
  if (running_.size() <= kNamed) return;
  running_.pop_front();
  ++more_running_;
}

void CudaContext::all_done() {
  std::lock_guard lock(mutex_);
  running_.clear();
  more_running_ = 0;
}

std::string CudaContext::suspects() const {
  if (running_.empty()) return "";
  if (running_.size() == 1 && more_running_ == 0) return "kernel " + running_[0] + ": ";
  std::string all = "one of the kernels ";
  for (size_t i = 0; i < running_.size(); ++i) all += (i ? ", " : "") + running_[i];
  if (more_running_) all += " and those before them";
  return all + ": ";
}

void CudaContext::fail(Result result, const std::string& doing) {
  const std::string words = driver_->words(result);
  if (is_sticky(result)) {
    std::lock_guard lock(mutex_);
    if (!lost_) lose(result, doing);
    throw InternalError(last_words_);
  }
  if (result == Result::OutOfMemory)
    throw UserError(name_ + ": out of memory while " + doing +
                    ": end other processes that use the GPU (nvidia-smi lists them), or use smaller buffers");
  throw InternalError(name_ + ": " + doing + ": " + words);
}

/// Destroys the primary context with all that is in it and asks whether the GPU takes work again: after most errors of a
/// kernel it does, after those of the hardware only in another process.
bool CudaContext::reset() {
  const CudaDriver& d = *driver_;
  const bool gone = d->primary_ctx_reset(device_) == Result::Success;
  d->primary_ctx_release(device_);  // a reset leaves the count of users alone
  if (!gone) return false;
  cu::Context next = nullptr;
  if (d->primary_ctx_retain(&next, device_) != Result::Success) return false;
  cu::DevicePointer probe = 0;
  const bool works = d->ctx_set_current(next) == Result::Success && d->mem_alloc(&probe, 256) == Result::Success &&
                     d->memset_d8_async(probe, 0, 256, nullptr) == Result::Success &&
                     d->stream_synchronize(nullptr) == Result::Success;
  if (probe) d->mem_free(probe);
  d->ctx_set_current(nullptr);
  d->primary_ctx_release(device_);
  return works;
}

void CudaContext::lose(Result result, const std::string& doing) {
  const std::string who = suspects();
  last_words_ = name_ + ": " + who + driver_->words(result) + (who.empty() ? ", noticed while " + doing : "");
  lost_ = true;
  const bool recovered = reset();
  last_words_ += recovered ? "; the CUDA context is lost, and with it the contents of every buffer on this GPU; it was "
                             "reset: new buffers and kernels can be used"
                           : "; the CUDA context is lost and could not be reset: restart the process";
  recovered_ = recovered;
}

}  // namespace pg
