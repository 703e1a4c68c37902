#pragma once
// Whether a scheduled kernel computes what the unscheduled one computes, by the interpreter.
#include "search/schedule.h"
#include "tests/properties/kernel_runs.h"
#include "tests/properties/random_kernels.h"
#include "tests/uops/blocks.h"
#include "uops/text.h"

namespace pg::test {

class Equivalence {
 public:
  explicit Equivalence(RandomKernel kernel, uint64_t seed = 1)
      : kernel_(std::move(kernel)),
        seed_(seed),
        want_(result(lower(Schedule(kernel_.kernel).scheduled(), kReference), {.exact = true})) {}

  /// "" or where some buffer first differs. Throws what lowering and the interpreter throw (races among grid items too).
  std::string check(const Schedule& s) const {
    return compare(result(lower(s.scheduled(), kReference), {.exact = true}));
  }
  /// For schedules written by hand: an illegal one gives its reason.
  std::string check(const char* opts) const {
    const Expected<Schedule> s = Schedule(kernel_.kernel).apply(parse_opts(opts));
    return s ? check(*s) : s.reason();
  }
  /// The same on a block of threads, in the orders of threads and landings of copies that tell most apart.
  std::string check_blocks(const Schedule& s) const {
    using Order = InterpretOptions::Order;
    using Landing = InterpretOptions::Landing;
    const UOp linear = lower(s.scheduled(), s.target());
    for (const BlockMode& mode : {BlockMode{Order::Forward, Landing::Late}, BlockMode{Order::Reverse, Landing::Early},
                                  BlockMode{Order::Random, Landing::Random, seed_}}) {
      InterpretOptions options{.exact = true};
      options.threads = mode.threads, options.copies = mode.copies, options.seed = mode.seed;
      if (const std::string wrong = compare(result(linear, options)); !wrong.empty()) return mode.text() + ": " + wrong;
    }
    return "";
  }

 private:
  inline static const Target kReference{.isa = "ref"};

  std::string compare(const std::vector<Bytes>& got) const {
    const UOps params = params_of(kernel_.kernel);
    for (size_t i = 0; i < got.size(); ++i) {
      const DType t = params[i].dtype();
      const double tolerance = t == dt::bf16 ? 0.02 : t == dt::f16 ? 0.002 : 1e-5;
      if (const std::string wrong = difference(t, got[i], want_[i], tolerance); !wrong.empty())
        return params[i].arg_as<ParamArg>().name + ": " + wrong;
    }
    return "";
  }
  /// All buffers after a run. In double precision a sum's order tells only in the last bits, and the rounding to the output's
  /// type hides those.
  std::vector<Bytes> result(const UOp& linear, InterpretOptions options) const {
    options.max_steps = 2'000'000'000, options.races = !kernel_.in_place;
    std::vector<Bytes> buffers = random_buffers(kernel_.kernel, kernel_.bindings, seed_);
    run(linear, kernel_.bindings, buffers, options);
    return buffers;
  }

  RandomKernel kernel_;
  uint64_t seed_;
  std::vector<Bytes> want_;
};

inline std::string describe(const RandomKernel& k, uint64_t seed) {
  std::string s = "seed " + std::to_string(seed) + "\n" + pretty(k.kernel);
  for (const VariableBinding& b : k.bindings) s += "\n" + b.name + " = " + std::to_string(b.value);
  return s;
}

}  // namespace pg::test
