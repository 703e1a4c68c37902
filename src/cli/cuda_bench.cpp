#include "src/cli/cuda_bench.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/cli/cublas.h"
#include "uops/error.h"

namespace pg {

namespace {

constexpr double kShortMs = 0.02;                   // below it the host may be slower than the GPU
constexpr double kSampleMs = 1;                     // as interleave wants it
constexpr size_t kMostSets = 2048;                  // of tiny kernels: all of them lie in the L2 cache then
constexpr size_t kLeastCopy = 64 << 20;             // bytes each way
constexpr int kReadThreads = 512, kReadBlocks = 4;  // of an SM

// Every thread keeps four 16-byte loads under way. The sum is never what is asked, but the compiler does not know.
constexpr const char* kRead = R"(
extern "C" __global__ void __launch_bounds__(512) pg_read(float* sink, const float4* from, long long n) {
  float sum = 0;
  const long long step = (long long)gridDim.x * 512;
  long long i = blockIdx.x * 512ll + threadIdx.x;
  for (; i + 3 * step < n; i += 4 * step) {
    const float4 a = __ldcs(from + i), b = __ldcs(from + i + step), c = __ldcs(from + i + 2 * step),
                 d = __ldcs(from + i + 3 * step);
    sum += a.x + a.y + a.z + a.w + b.x + b.y + b.z + b.w + c.x + c.y + c.z + c.w + d.x + d.y + d.z + d.w;
  }
  for (; i < n; i += step) sum += from[i].x;
  if (sum == 12345.678f) *sink = sum;
}
)";

cu::DevicePointer address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

}  // namespace

double CudaStopwatch::milliseconds(const Contestant& c, int repeat, bool warm) {
  // The untimed run goes into the stream too: the GPU is at work while the host hands over what is timed.
  if (repeat * kShortMs < kSampleMs)
    return timer_.each_ms(2, [&](size_t part) {
      for (int i = 0; i < (part == 0 ? static_cast<int>(warm || repeat == 1) : repeat); ++i) c.run();
    })[1] / repeat;
  const size_t n = (static_cast<size_t>(repeat) + sets_ - 1) / sets_ * sets_;
  auto it = batches_.find(c.name);
  if (it == batches_.end()) {
    CudaBatch batch(device_, [&] {
      for (size_t i = 0; i < n; ++i) c.run();
    });
    it = batches_.emplace(c.name, Batch{std::move(batch), n}).first;
  }
  return timer_.each_ms(2, [&](size_t) { it->second.batch.replay(); })[1] / static_cast<double>(it->second.launches);
}

GpuPeak fp32_peak(const CudaFacts& f) {
  // CUDA C Programming Guide, throughput of native arithmetic: 64 fused multiply-adds a clock and SM on 7.x and 8.0.
  const int lanes = f.sm() <= 80 ? 64 : 128;
  return {2.0 * f.sms * lanes * f.clock_khz, fmt::format("{} SMs x {} FMA x {:.2f} GHz", f.sms, lanes, f.clock_khz * 1e-6)};
}

CudaBench::CudaBench(CudaDevice& device) : device_(device), watch_(device) {}
CudaBench::~CudaBench() = default;

size_t CudaBench::sets(size_t bytes) const {
  const auto wanted = 2 * static_cast<size_t>(std::max<int64_t>(device_.facts().l2_bytes, 1));
  return std::clamp<size_t>((wanted + bytes - 1) / std::max<size_t>(bytes, 1), 1, kMostSets);
}

void CudaBench::sweep() {
  throw UserError("bench kernel: --cold sweeps the caches of a CPU; on " + device_.name() +
                  " buffers take turns, so that no launch finds its own in the cache");
}

std::vector<Contestant> CudaBench::ceilings(const Operands& operands) {
  sets_ = operands.sets().size();
  watch_.set_sets(sets_);
  const size_t bytes = std::max(kLeastCopy, 4 * static_cast<size_t>(device_.facts().l2_bytes));
  from_ = std::make_unique<Memory>(device_, bytes);
  to_ = std::make_unique<Memory>(device_, bytes);
  sink_ = std::make_unique<Memory>(device_, 256);
  const auto life = device_.gpu()->life();
  life->context->check(life->context->driver()->memset_d8_async(address(from_->data()), 1, bytes, life->stream.get()),
                       "filling a buffer");
  LaunchInfo launch;
  launch.name = "pg_read";
  launch.threads = kReadThreads;
  launch.params = {UOp(Op::Param, dt::f32, ParamArg{0, "sink"}, {iconst(1)}),
                   UOp(Op::Param, dt::f32, ParamArg{1, "from"}, {iconst(static_cast<int64_t>(bytes / 4))})};
  launch.variables = {variable("n", 0, int64_t{1} << 40)};
  read_ = device_.load(device_.compile({"pg_read", kRead, UOp(), launch}), launch);
  const auto copy = [this, bytes] {
    const auto now = device_.gpu()->life();
    now->context->check(
        now->context->driver()->memcpy_dtod_async(address(to_->data()), address(from_->data()), bytes, now->stream.get()),
        "copying on the GPU");
  };
  const auto read = [this, bytes] {
    const std::vector<void*> buffers{sink_->data(), from_->data()};
    const std::vector<int64_t> n{static_cast<int64_t>(bytes / 16)};
    read_->enqueue(buffers, n, int64_t{kReadBlocks} * device_.facts().sms);
  };
  return {{"copy", "", copy}, {"read", "", read}};
}

void CudaBench::report(Json& line, const Work& w, std::span<const Contestant> all) const {
  const Contestant &ours = all[0], &copy = all[1], &read = all[2];
  const double bytes = static_cast<double>(from_->bytes());
  const GpuPeak peak = fp32_peak(device_.facts());
  const std::vector<double> constant(ours.ms.size(), 1);
  line["gpu"] = device_.facts().name;
  line["driver"] = cuda_version_text(device_.facts().driver_version);
  line["sets"] = sets_;
  line["ours"]["share_of_peak"] = share_json(share_of(w.flops, ours.ms, peak.flops_per_ms, constant));
  line["ours"]["share_of_copy"] = share_json(share_of(w.bytes, ours.ms, 2 * bytes, copy.ms));
  line["ours"]["share_of_read"] = share_json(share_of(w.bytes, ours.ms, bytes, read.ms));
  line["peak"] = {{"gflops", peak.flops_per_ms * 1e-6}, {"assumes", peak.assumes}};
  line["copy"] = row_json(copy, 0, 2 * bytes);  // read and written
  line["read"] = row_json(read, 0, bytes);
}

void CudaBench::describe(Json& row, const Artifact& artifact) const {
  int registers = 0;
  int64_t stack = 0, spilled = 0;
  for (const KernelResources& r : cuda_resources(artifact)) {
    registers = std::max(registers, r.registers);
    stack = std::max(stack, r.stack_bytes);
    spilled += r.spill_stores + r.spill_loads;
  }
  row["registers"] = registers;
  row["stack_bytes"] = stack;
  row["spill_bytes"] = spilled;
}

std::vector<std::unique_ptr<KernelPeer>> CudaBench::peers(const std::string& name, const BenchKernel& k,
                                                          const std::vector<OperandSet>& sets, std::string& why) {
  if (name == "cublas") return cublas_peers(device_, k, sets, why);
  if (name != "eigen" && name != "onednn" && name != "openblas")
    throw UserError("bench: no peer is named '" + name + "'; known are eigen, onednn, openblas, cublas");
  why = "it computes on CPUs: --device CPU";
  return {};
}

}  // namespace pg
