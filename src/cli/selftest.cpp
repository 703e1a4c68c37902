#include "src/cli/selftest.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "search/build.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/exit_status.h"
#include "src/cli/guarded_run.h"
#include "src/cli/selftest_kernels.h"

namespace pg {

namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kBriefStep = 3;

struct Verdict {
  std::string opts, wrong;
  Reference::Error error;
  double seconds = 0;
};

Verdict verdict(const SelftestKernel& test, Device& device) {
  Verdict v{.opts = test.opts};
  const auto start = std::chrono::steady_clock::now();
  try {
    const BenchKernel k = bench_kernel(test.kind, test.shape, test.layout);
    const Opts opts = selftest_opts(test, k.ast, device.target());
    v.opts = text(opts);
    const Built built = build(k.ast, opts, device);
    GuardedRun run(device, k.ast);
    v.wrong = run.check(*built.program, evaluate(built.source.launch.items, {}, {}));
    if (v.wrong.empty()) v.error = run.error();
  } catch (const UserError& e) {
    v.wrong = e.what();
  } catch (const InternalError& e) {
    v.wrong = e.what();
  }
  v.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return v;
}

}  // namespace

int selftest_command(const SelftestOptions& options, std::ostream& out) {
  Device& device = default_device();
  size_t ran = 0, failed = 0;
  for (size_t i = 0; i < selftest_kernels().size(); i += options.brief ? kBriefStep : 1, ++ran) {
    const SelftestKernel& test = selftest_kernels()[i];
    if (options.list) {
      out << test.kind << " " << test.shape << " " << test.layout << (*test.layout ? "  " : " ") << test.opts << "\n";
      continue;
    }
    const Verdict v = verdict(test, device);
    failed += !v.wrong.empty();
    if (options.json) {
      Json j{{"test", i},          {"kernel", test.kind},     {"shape", test.shape},   {"layout", test.layout},
             {"schedule", v.opts}, {"device", device.name()}, {"ok", v.wrong.empty()}, {"seconds", v.seconds}};
      if (v.wrong.empty())
        j["error"] = {{"absolute", v.error.absolute}, {"relative", v.error.relative}};
      else
        j["wrong"] = v.wrong;
      out << j.dump() << std::endl;
    } else {
      out << (v.wrong.empty() ? "ok    " : "FAIL  ") << test.kind << " " << test.shape << " " << test.layout << "  "
          << v.opts << (v.wrong.empty() ? "" : "\n      " + v.wrong) << std::endl;
    }
  }
  if (!options.json)
    out << ran - failed << " of " << ran << (options.list ? " kernels" : " kernels are right on " + device.name()) << "\n";
  return failed == 0 ? 0 : kDefect;
}

}  // namespace pg
