#pragma once
// Random kernels under random schedules, each by itself and as one program.
#include "search/tune.h"
#include "tests/properties/kernel_runs.h"
#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "uops/text.h"
#include "uops/together.h"

namespace pg::test {

struct JoinedSample {
  std::string what;
  UOp together;
  UOps linears;  // of its kernels
  JoinedPrograms program;
  Bindings64 bindings;
  bool in_place = false;
  std::vector<Bytes> given, want;  // all buffers before, and after each kernel's own program

  /// 2 to 4 kernels; Variables have names of their own. `default_schedules`: instead of random ones.
  static JoinedSample make(uint64_t seed, const Target& target, bool default_schedules = false) {
    RandomSource random(seed);
    JoinedSample s;
    UOps kernels;
    for (int64_t n = random.between(2, 4); n > 0; --n) {
      RandomKernel k = KernelGenerator::make(random, 4000);
      Substitution renamed;
      for (const UOp& v : variables_of(k.kernel)) {
        VariableArg arg = v.arg_as<VariableArg>();
        arg.name += "_" + std::to_string(n);
        renamed.emplace_back(v, UOp(Op::Variable, v.dtype(), arg, {}));
      }
      k.kernel = substitute(k.kernel, renamed);
      for (VariableBinding& b : k.bindings) b.name += "_" + std::to_string(n);
      const Schedule schedule = default_schedules ? *Schedule(k.kernel, target).apply(heuristic(k.kernel, target))
                                                  : ScheduleGenerator(k.kernel, random, 48, target).next();
      s.linears.push_back(lower(schedule.scheduled(), target));
      s.what += pretty(k.kernel) + "\n" + text(schedule.opts()) + "\n";
      std::vector<Bytes> buffers = random_buffers(k.kernel, k.bindings, seed + static_cast<uint64_t>(n));
      s.given.insert(s.given.end(), buffers.begin(), buffers.end());
      run(s.linears.back(), k.bindings, buffers);
      s.want.insert(s.want.end(), buffers.begin(), buffers.end());
      s.bindings.insert(s.bindings.end(), k.bindings.begin(), k.bindings.end());
      s.in_place |= k.in_place;
      kernels.push_back(k.kernel);
    }
    s.together = pg::together(kernels);
    s.program = joined(s.together, s.linears, target);
    return s;
  }
  std::vector<int64_t> variables() const {
    std::vector<int64_t> all;
    for (const auto& [v, value] : values_of(program.linear, bindings)) all.push_back(value);
    return all;
  }
  /// Where the buffers first differ from what is wanted; "" when nowhere.
  std::string difference(const std::vector<Bytes>& got) const {
    std::vector<DType> types;
    for (const UOp& k : kernels_in(together))
      for (const UOp& p : params_of(k)) types.push_back(p.dtype());
    for (size_t b = 0; b < got.size(); ++b)
      if (std::string wrong = test::difference(types[b], got[b], want[b], 0); !wrong.empty())
        return "buffer " + std::to_string(b) + ": " + wrong;
    return "";
  }
};

}  // namespace pg::test
