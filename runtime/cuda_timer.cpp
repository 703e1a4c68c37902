#include "runtime/cuda_timer.h"

namespace pg {

CudaTimer::CudaTimer(CudaDevice& device) : gpu_(device.gpu()) {}

double CudaTimer::ms(const std::function<void()>& enqueue) {
  return each_ms(1, [&](size_t) { enqueue(); })[0];
}

std::vector<double> CudaTimer::each_ms(size_t n, const std::function<void(size_t i)>& enqueue) {
  const auto life = gpu_->life();
  std::vector<CudaEvent> marks;
  marks.reserve(n + 1);
  for (size_t i = 0; i <= n; ++i) marks.emplace_back(life->context, cu::kEventDefault);
  marks[0].record(life->stream.get());
  for (size_t i = 0; i < n; ++i) {
    enqueue(i);
    life->context->make_current();  // another device may have worked in between
    marks[i + 1].record(life->stream.get());
  }
  life->stream.synchronize();
  std::vector<double> all;
  for (size_t i = 0; i < n; ++i) all.push_back(marks[i + 1].ms_since(marks[i]));
  return all;
}

}  // namespace pg
