#include "runtime/cuda_gpu.h"

#include "uops/error.h"

namespace pg {

CudaLife::~CudaLife() {
  if (context->is_lost()) return;
  try {  // copies may still be on their way from the pinned buffers
    context->make_current();
    stream.synchronize();
  } catch (const std::exception&) {  // nobody is left who could be told
  }
}

CudaGpu::CudaGpu(std::shared_ptr<const CudaDriver> driver, int ordinal)
    : driver_(std::move(driver)),
      ordinal_(ordinal),
      name_("CUDA:" + std::to_string(ordinal)),
      facts_(cuda_facts(*driver_, ordinal)) {}

std::shared_ptr<CudaLife> CudaGpu::life() {
  std::lock_guard lock(mutex_);
  if (life_ && life_->context->is_lost()) {
    const CudaContext& last = *life_->context;
    if (!last.is_recovered())
      throw UserError(name_ + " cannot be used any more: restart the process. What happened: " + last.last_words());
    memory_.forget();
    life_ = nullptr;
  }
  if (!life_) life_ = std::make_shared<CudaLife>(std::make_shared<CudaContext>(driver_, ordinal_, name_));
  life_->context->make_current();
  return life_;
}

void CudaGpu::check_alive(const void* buffer, const std::string& kernel) const {
  if (memory_.is_lost(buffer))
    throw UserError(name_ + ": kernel " + kernel +
                    " is given a buffer whose contents were lost with the CUDA context: compute or load it again");
}

}  // namespace pg
