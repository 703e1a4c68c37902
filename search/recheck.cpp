#include "search/recheck.h"

#include <algorithm>

#include "search/build.h"
#include "search/reference.h"
#include "search/runner.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {
/// Values that fall into a bucket: its upper end, as far as the Variable goes; Variables outside the bucket at their lower
/// end.
Bindings64 bindings_in(const std::string& bucket, const UOp& kernel) {
  Bindings64 bindings;
  for (const UOp& variable : variables_of(kernel)) {
    const VariableArg& v = variable.arg_as<VariableArg>();
    int64_t value = v.lo;
    const std::string named = "," + bucket;
    if (const size_t at = named.find("," + v.name + "="); at != named.npos)
      value = std::clamp(static_cast<int64_t>(std::atoll(named.c_str() + at + v.name.size() + 2)), v.lo, v.hi);
    bindings.push_back({v.name, value});
  }
  return bindings;
}
}  // namespace

std::string recheck(const WinnerRow& winner, const KernelRow& row, Device& device) {
  if (winner.key.device != device.info().id || winner.key.toolchain != device.toolchain().id) return "";
  try {
    const UOp kernel = parse(row.ir);
    const Bindings64 bindings = bindings_in(winner.key.bucket, kernel);
    const Built built = build(kernel, parse_opts(winner.schedule), device);
    const RunProgram program = RunProgram::of(built.artifact, built.source.launch, bindings);

    Runner runner({.threads = winner.key.threads, .isa = device.target().isa, .device = device.name()});
    const std::vector<BufferSpec> specs = buffer_specs(kernel, bindings);
    runner.set_buffers(specs, 1);
    std::vector<std::span<const std::byte>> inputs;
    for (size_t slot = 0; slot < specs.size(); ++slot)
      inputs.push_back(specs[slot].use == BufferUse::Output ? std::span<const std::byte>() : runner.input(slot));
    const RunResult r = runner.check(program);
    if (r.status != RunStatus::Ok) return std::string(text(r.status)) + ": " + r.reason;
    return Reference(kernel, bindings, specs, inputs, 1).check_samples(runner.output());
  } catch (const UserError& e) {
    return e.what();
  }
}

}  // namespace pg
