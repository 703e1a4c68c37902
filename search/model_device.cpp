#include "search/model_device.h"

#include <algorithm>

#include "renderers/cuda.h"
#include "runtime/artifact_cache.h"
#include "runtime/cuda_module.h"
#include "runtime/nvrtc.h"
#include "runtime/ref_device.h"
#include "uops/kernel.h"
#include "uops/linear.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg {

namespace {

constexpr double kLaunchMs = 0.0025, kClockKhz = 1.8e6;
constexpr int64_t kThreadBytes = 4 * 220;  // in registers; private memory beyond that is said to be spilled

double trips(const UOp& range) { return static_cast<double>(std::max<int64_t>(1, bounds(range.src(0)).hi)); }

/// Instructions of all threads, weighted; by the program alone, so that it is another model than the search's own estimate.
double modelled(const UOp& linear, const Target& target) {
  std::vector<double> times = {1};
  double cycles = 0, grid = 1, threads = 1;
  for (const UOp& u : linear.src()) {
    if (u.is(Op::For)) {
      const Kind kind = u.src(0).arg_as<RangeArg>().kind;
      if (kind == Kind::Grid) grid = trips(u.src(0)), threads = 1;
      if (kind == Kind::Local) threads = trips(u.src(0));
      times.push_back(times.back() * (kind == Kind::Local || kind == Kind::Grid ? 1 : trips(u.src(0))));
    } else if (u.is(Op::If)) {
      times.push_back(times.back());
    } else if (u.is(Op::End)) {
      times.pop_back();
    } else {
      const bool memory = u.is(Op::Load) || u.is(Op::Store) || u.is(Op::CopyAsync);
      const bool far = memory && u.src(u.is(Op::CopyAsync) ? 1 : 0).src(0).is(Op::Param);
      const double cost = far ? 16 : u.is(Op::Barrier) ? 20 : memory ? 2 : 1;
      const double warps = std::max(1.0, threads / 32), processors = std::max(1, target.sms);
      // A processor issues four warps at a time; few warps leave it waiting.
      cycles += cost * times.back() * std::max(1.0, warps / 4) * std::max(1.0, grid / processors);
    }
  }
  return kLaunchMs + cycles / kClockKhz;
}

/// What ptxas might say, where there is none.
std::string log_of(const Source& source) {
  int64_t bytes = 0;
  for (const UOp& u : source.linear.src()) {
    if (!u.is(Op::Memory)) continue;
    if (std::any_of(source.launch.shared.begin(), source.launch.shared.end(), [&](const auto& m) { return m.first == u; }))
      continue;
    int64_t own = u.dtype().bytes();
    for (const UOp& extent : u.src()) own *= const_int(extent).value_or(1);
    bytes += own;
  }
  const std::string spilled = std::to_string(std::max<int64_t>(0, bytes - kThreadBytes));
  return "ptxas info    : Compiling entry function '" + source.name + "' for 'sm_90a'\n" + "ptxas         .     " + spilled +
         " bytes stack frame, " + spilled + " bytes spill stores, " + spilled + " bytes spill loads\n" +
         "ptxas info    : Used 64 registers\n";
}

class ModelProgram final : public RefProgram {
 public:
  // A race is a wrong result of a run, not an error: the runner finds it.
  ModelProgram(const UOp& linear, const Target& target)
      : RefProgram(linear, launch_info(linear), {.thread_races = false}), ms_(modelled(linear, target)) {}
  const double& ms() const { return ms_; }

 private:
  double ms_;
};

}  // namespace

ModelDevice::ModelDevice() : ModelDevice(Plants{}) {}
ModelDevice::ModelDevice(Plants plants) : plants_(std::move(plants)) {
  target_.isa = "sm_90a", target_.vector_bytes = 16, target_.registers = 255, target_.cores = 132;
  target_.gpu = true, target_.sm = 90, target_.sms = 132;
  target_.l1_bytes = 228 << 10, target_.l2_bytes = target_.l3_bytes = 50 << 20;
  target_.shared_block_bytes = 227 << 10, target_.shared_sm_bytes = 228 << 10;
}

DeviceInfo ModelDevice::info() const {
  const std::string json = R"({"gpu":"model of sm_90a"})";
  return {ArtifactCache::key({json}), json};
}
ToolchainInfo ModelDevice::toolchain() const {
  const std::string json = R"({"codegen":)" + std::to_string(kCodegenVersion) + R"(,"compiler":"model"})";
  return {ArtifactCache::key({json}), json};
}

Source ModelDevice::render(const UOp& linear) const { return render_cuda(linear, target_); }

Artifact ModelDevice::compile(const Source& source) {
  std::string log = plants_.log ? plants_.log(source) : std::string();
  if (log.empty() && plants_.nvrtc)
    if (const FoundNvrtc found = Nvrtc::find({}, 0); found.nvrtc) {
      const std::vector<std::string> options = {"--gpu-architecture=sm_90a", "--std=c++17", "--fmad=false",
                                                "--ptxas-options=-v", "--disable-warnings"};
      log = found.nvrtc->compile(source.name, source.text, options).log;
    }
  if (log.empty()) log = log_of(source);
  UOp linear = plants_.linear ? plants_.linear(source.linear) : UOp();
  if (!linear) linear = source.linear;
  return {source.name, pack({"model", 0, std::move(log), text(linear)}), 0};
}

std::shared_ptr<Program> ModelDevice::load(const Artifact& artifact, const LaunchInfo&) {
  return std::make_shared<ModelProgram>(parse(unpack_cuda_binary(artifact.bytes).cubin), target_);
}

const double* model_ms(const Program& p) {
  const auto* model = dynamic_cast<const ModelProgram*>(&p);
  return model ? &model->ms() : nullptr;
}

Device& run_device(const std::string& name) {
  if (name != ModelDevice::kName) return device(name);
  static ModelDevice model;
  return model;
}

}  // namespace pg
