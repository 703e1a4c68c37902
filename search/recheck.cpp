#include "search/recheck.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "search/build.h"
#include "search/reference.h"
#include "search/runner.h"
#include "search/schedule.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {
/// Values that fall into a bucket: those that were measured, else its upper end, as far as the Variable goes; Variables
/// outside the bucket at their lower end.
Bindings64 bindings_in(const std::string& bucket, const UOp& kernel, const std::string& measured) {
  const auto said = nlohmann::json::parse(measured, nullptr, /*allow_exceptions=*/false);
  Bindings64 bindings;
  for (const UOp& variable : variables_of(kernel)) {
    const VariableArg& v = variable.arg_as<VariableArg>();
    int64_t value = v.lo;
    const std::string named = "," + bucket;
    if (const size_t at = named.find("," + v.name + "="); at != named.npos)
      value = std::clamp(static_cast<int64_t>(std::atoll(named.c_str() + at + v.name.size() + 2)), v.lo, v.hi);
    if (said.is_object() && said.contains(v.name) && said[v.name].is_number_integer())
      if (const int64_t n = said[v.name]; v.lo <= n && n <= v.hi) value = n;
    bindings.push_back({v.name, value});
  }
  return bindings;
}

std::string default_text(const UOp& kernel, const Target& target, const Bindings64& bindings) {
  const Expected<Schedule> s = Schedule(kernel, target).apply(heuristic(kernel, target, bindings));
  if (!s) throw InternalError("the heuristic's schedule is illegal: " + s.reason());
  return text(s->opts());
}

/// One winner, run on the device that it is of.
class Recheck {
 public:
  Recheck(const WinnerRow& winner, const KernelRow& row, Device& device, const std::string& bindings)
      : winner_(winner),
        kernel_(parse(row.ir)),
        bindings_(bindings_in(winner.key.bucket, kernel_, bindings)),
        device_(device),
        runner_({.threads = winner.key.threads, .isa = device.target().isa, .device = device.name()}) {}

  Rechecked run() {
    Rechecked out{.here = true};
    const RunProgram program = built(winner_.schedule);
    out.problem = outputs(program);
    if (const std::string usual = default_text(kernel_, device_.target(), bindings_);
        out.problem.empty() && usual != winner_.schedule)
      time(program, built(usual), out);
    return out;
  }

 private:
  static constexpr int kRuns = 2;  // of the timing: a neighbour's burst does not come twice
  // Where a process puts code and buffers moves a kernel of a microsecond by a tenth, for as long as the process lives.
  static constexpr double kLeastLossMs = 0.0005;

  RunProgram built(const std::string& opts) {
    const Built b = build(kernel_, parse_opts(opts), device_);
    return RunProgram::of(b.artifact, b.source.launch, bindings_);
  }

  /// Why its outputs are wrong.
  std::string outputs(const RunProgram& program) {
    const std::vector<BufferSpec> specs = buffer_specs(kernel_, bindings_);
    runner_.set_buffers(specs, 1);
    std::vector<std::span<const std::byte>> inputs;
    for (size_t slot = 0; slot < specs.size(); ++slot)
      inputs.push_back(specs[slot].use == BufferUse::Output ? std::span<const std::byte>() : runner_.input(slot));
    const RunResult r = runner_.check(program);
    if (r.status != RunStatus::Ok) return std::string(text(r.status)) + ": " + r.reason;
    return Reference(kernel_, bindings_, specs, inputs, 1).check_samples(runner_.output());
  }

  void time(const RunProgram& program, const RunProgram& usual, Rechecked& out) {
    for (int run = 0; run < kRuns; ++run) {
      const Final f = finalists(runner_, usual, {program});
      const Finalist& ours = f.candidates[0];
      if (f.incumbent.result.status != RunStatus::Ok) return;  // nothing to compare with
      if (ours.result.status != RunStatus::Ok) {
        out.problem = std::string(text(ours.result.status)) + ": " + ours.result.reason;
        return;
      }
      out.ms = ours.timing.median_ms;
      out.default_ms = f.incumbent.timing.median_ms;
      out.over_default = ours.over_incumbent;
      out.slower = ours.over_incumbent.high * kWinMargin < 1 && out.ms - out.default_ms > kLeastLossMs;
      if (!out.slower) return;
    }
  }
  const WinnerRow& winner_;
  UOp kernel_;
  Bindings64 bindings_;
  Device& device_;
  Runner runner_;
};
}  // namespace

Rechecked recheck(const WinnerRow& winner, const KernelRow& row, Device& device, const std::string& bindings) {
  if (winner.key.device != device.info().id || winner.key.toolchain != device.toolchain().id) return {};
  try {
    return Recheck(winner, row, device, bindings).run();
  } catch (const UserError& e) {
    return {.here = true, .problem = e.what()};
  }
}

}  // namespace pg
