#pragma once
// Whether a scheduled kernel computes what the unscheduled one computes, by the interpreter.
#include "search/schedule.h"
#include "tests/properties/kernel_runs.h"
#include "tests/properties/random_kernels.h"
#include "uops/text.h"

namespace pg::test {

class Equivalence {
 public:
  explicit Equivalence(RandomKernel kernel, uint64_t seed = 1)
      : kernel_(std::move(kernel)), seed_(seed), want_(result(Schedule(kernel_.kernel))) {}

  /// "" or where the result first differs. Throws what lowering and the interpreter throw (races among grid items too).
  std::string check(const Schedule& s) const {
    const DType t = params_of(kernel_.kernel)[0].dtype();
    return difference(t, result(s), want_, t == dt::bf16 ? 0.02 : t == dt::f16 ? 0.002 : 1e-5);
  }
  /// The same on a block of threads, in every order of threads and landing of copies that tells something apart.
  std::string check_blocks(const Schedule& s) const {
    const DType t = params_of(kernel_.kernel)[0].dtype();
    using Order = InterpretOptions::Order;
    using Landing = InterpretOptions::Landing;
    const UOp linear = lower(s.scheduled(), s.target());
    for (const auto& [order, landing, name] : {std::tuple{Order::Forward, Landing::Late, "forward, late"},
                                               {Order::Reverse, Landing::Early, "reverse, early"},
                                               {Order::Random, Landing::Random, "random"}}) {
      InterpretOptions options{.exact = true, .max_steps = 2'000'000'000, .races = !kernel_.in_place};
      options.threads = order, options.copies = landing, options.seed = seed_;
      std::vector<Bytes> buffers = random_buffers(kernel_.kernel, kernel_.bindings, seed_);
      run(linear, kernel_.bindings, buffers, options);
      const std::string wrong = difference(t, buffers[0], want_, t == dt::bf16 ? 0.02 : t == dt::f16 ? 0.002 : 1e-5);
      if (!wrong.empty()) return std::string(name) + ": " + wrong;
    }
    return "";
  }
  /// For schedules written by hand: an illegal one gives its reason.
  std::string check(const char* opts) const {
    const Expected<Schedule> s = Schedule(kernel_.kernel).apply(parse_opts(opts));
    return s ? check(*s) : s.reason();
  }

 private:
  Bytes result(const Schedule& s) const {
    // In double precision a sum's order tells only in the last bits, and the rounding to the output's type hides those.
    const UOp linear = lower(s.scheduled(), Target{.isa = "ref"});
    std::vector<Bytes> buffers = random_buffers(kernel_.kernel, kernel_.bindings, seed_);
    run(linear, kernel_.bindings, buffers, {.exact = true, .max_steps = 2'000'000'000, .races = !kernel_.in_place});
    return buffers[0];
  }

  RandomKernel kernel_;
  uint64_t seed_;
  Bytes want_;
};

inline std::string describe(const RandomKernel& k, uint64_t seed) {
  std::string s = "seed " + std::to_string(seed) + "\n" + pretty(k.kernel);
  for (const VariableBinding& b : k.bindings) s += "\n" + b.name + " = " + std::to_string(b.value);
  return s;
}

}  // namespace pg::test
