#include "src/cli/bench_device.h"

#include "search/measure.h"
#include "src/cli/ceilings.h"
#include "src/cli/cuda_bench.h"
#include "uops/error.h"

namespace pg {

namespace {

/// A CPU; or the interpreter, without ceilings.
class HostBench final : public BenchDevice {
 public:
  explicit HostBench(Device& device) : device_(device) {}
  Stopwatch& stopwatch() override { return watch_; }
  size_t sets(size_t) const override { return 1; }  // a kernel finds in the caches what it left there: see --cold
  void sweep() override {
    if (!ceilings_) throw UserError("bench kernel: --cold sweeps the caches of a CPU, not those of " + device_.name());
    ceilings_->sweep();
  }
  std::vector<Contestant> ceilings(const Operands& operands) override {
    auto* cpu = dynamic_cast<CpuDevice*>(&device_);
    if (!cpu) return {};
    ceilings_ = std::make_unique<Ceilings>(*cpu, operands.working_set());
    std::vector<Contestant> all{{"peak", "", [this] { ceilings_->peak(); }}, {"read", "", [this] { ceilings_->read(); }}};
    for (Contestant& c : all) c.as_long_as_first = true;
    return all;
  }
  void report(Json& line, const Work& w, std::span<const Contestant> all) const override {
    if (!ceilings_) return;
    const Contestant &ours = all[0], &peak = all[1], &read = all[2];
    line["ours"]["share_of_peak"] = share_json(share_of(w.flops, ours.ms, ceilings_->peak_flops(), peak.ms));
    line["ours"]["share_of_bandwidth"] = share_json(share_of(w.bytes, ours.ms, ceilings_->read_bytes(), read.ms));
    line["peak"] = row_json(peak, ceilings_->peak_flops(), 0);
    line["read"] = row_json(read, 0, ceilings_->read_bytes());
    line["read"]["bytes"] = ceilings_->read_bytes();
  }
  std::vector<std::unique_ptr<KernelPeer>> peers(const std::string& name, const BenchKernel& k,
                                                 const std::vector<OperandSet>& sets, std::string& why) override {
    if (name == "cublas") {
      why = "it computes on GPUs of NVIDIA: --device CUDA";
      return {};
    }
    return kernel_peers(name, k, sets[0].buffers, static_cast<float*>(sets[0].theirs), device_.target().cores, why);
  }

 private:
  Device& device_;
  HostStopwatch watch_;
  std::unique_ptr<Ceilings> ceilings_;  // null: not on a CPU
};

}  // namespace

std::unique_ptr<BenchDevice> bench_device(Device& device) {
  if (auto* gpu = dynamic_cast<CudaDevice*>(&device)) return std::make_unique<CudaBench>(*gpu);
  return std::make_unique<HostBench>(device);
}

Json row_json(const Contestant& c, double flops, double bytes) {
  const Timing t = timing(c.ms);
  Json j{{"median_ms", t.median_ms}};
  if (flops > 0) j["gflops"] = flops / t.median_ms * 1e-6;
  if (bytes > 0) j["gbs"] = bytes / t.median_ms * 1e-6;
  j["spread"] = t.spread;
  return j;
}
Json share_json(const Share& s) { return {{"median", s.median}, {"spread", s.spread}}; }

}  // namespace pg
