// What the compiler makes of a scheduled kernel computes, to the bit, what the interpreter says of the same program (but for
// the sign of a zero that max or min chose), whichever instructions are used; both routes to Clang agree in every bit.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"
#include "tests/renderers/linear_runs.h"

using namespace pg;
using namespace pg::test;

namespace {

/// What a schedule is made of.
std::set<std::string> ingredients(const Schedule& s) {
  struct Name {
    const Schedule& s;
    std::string operator()(const Tile& t) const { return t.nest.empty() ? text(t.kind) : "a nest's own tile"; }
    std::string operator()(const Grid& g) const {
      const bool parts = std::any_of(g.axes.begin(), g.axes.end(), [&](const std::string& a) { return !s.axis(a)->output; });
      return parts ? "grid over parts of a sum" : "grid";
    }
    std::string operator()(const Order& o) const { return o.ranges[0].nest.empty() ? "order" : "a nest's own order"; }
    std::string operator()(const StageOpt& t) const {
      return s.nest(t.value) ? "stage of a definition" : "stage of a buffer";
    }
    std::string operator()(const Online&) const { return "online"; }
    std::string operator()(const Fuse&) const { return "fuse"; }
    std::string operator()(const PadLoop&) const { return "pad"; }
    std::string operator()(const PrefetchBuffer&) const { return "prefetch"; }
    std::string operator()(const Bounds&) const { return "bounds"; }
    std::string operator()(const Streams&) const { return "streams"; }
    std::string operator()(const Lanes&) const { return "lanes"; }
    std::string operator()(const Swap&) const { return "swap"; }
  };
  std::set<std::string> all;
  for (const Opt& o : s.opts()) all.insert(std::visit(Name{s}, o));
  return all;
}
using Tally = std::map<std::string, int>;

struct Case {
  uint64_t seed;
  RandomKernel kernel;
  std::string opts;
  std::set<std::string> made_of;
  UOp linear;
  std::vector<Bytes> given, want;  // buffers before, and after the interpreter

  std::string what() const { return describe(kernel, seed) + "\n" + opts; }
};

Case random_case(uint64_t seed, const Target& target) {
  RandomSource random(seed);
  Case c{seed, KernelGenerator::make(random), "", {}, {}, {}, {}};
  Schedule s = ScheduleGenerator(c.kernel.kernel, random).next();
  if (random.one_in(8)) s = *Schedule(c.kernel.kernel).apply(heuristic(c.kernel.kernel, target));
  c.opts = text(s.opts());
  c.made_of = ingredients(s);
  c.linear = lower(s.scheduled(), target);
  c.given = c.want = test::random_buffers(c.kernel.kernel, c.kernel.bindings, seed);
  run(c.linear, c.kernel.bindings, c.want);
  return c;
}

std::vector<Bytes> launched(const Case& c, Program& program) {
  std::vector<Bytes> buffers = c.given;
  const LaunchInfo launch = launch_info(c.linear);
  std::vector<void*> pointers;
  for (const UOp& p : launch.params) pointers.push_back(buffers[static_cast<size_t>(p.arg_as<ParamArg>().slot)].data());
  const Values values = values_of(c.kernel.kernel, c.kernel.bindings);
  std::vector<int64_t> variables;
  for (const UOp& v : launch.variables) variables.push_back(evaluate(v, values));
  program.launch(pointers, variables, evaluate(launch.items, values));
  return buffers;
}

/// Where the buffers first differ; "" when nowhere.
std::string differ(const Case& c, const std::vector<Bytes>& got, const std::vector<Bytes>& want) {
  for (size_t slot = 0; slot < got.size(); ++slot)
    if (const std::string wrong = test::difference(params_of(c.kernel.kernel)[slot].dtype(), got[slot], want[slot], 0);
        !wrong.empty())
      return c.what() + "\n" + wrong;
  return "";
}

/// The compilers that can be had, with the instructions of one level.
struct Routes {
  std::vector<std::unique_ptr<TestCpu>> all;
  std::string missing;

  explicit Routes(const std::string& isa) {
    for (const char* route : {"inprocess", "spawn"}) {
      auto cpu = std::make_unique<TestCpu>(isa, 2, route);
      if (cpu->device->compiler().clang)
        all.push_back(std::move(cpu));
      else
        missing += cpu->device->compiler().missing;
    }
  }
  /// "" or the first thing that is wrong with the cases of these seeds. They are compiled together, which costs half.
  std::string check(uint64_t from, uint64_t count, Tally& tally) const {
    std::vector<Case> cases;
    std::vector<Source> sources;
    for (uint64_t seed = from; seed < from + count; ++seed) {
      cases.push_back(random_case(seed, all[0]->device->target()));
      sources.push_back(all[0]->device->render(cases.back().linear));
      for (const std::string& what : cases.back().made_of) ++tally[what];
    }
    std::vector<std::vector<Bytes>> first(cases.size());  // of the first route
    for (const auto& cpu : all) {
      const std::vector<Artifact> artifacts = cpu->device->compile_all(sources);
      for (size_t i = 0; i < cases.size(); ++i) {
        std::vector<Bytes> got = launched(cases[i], *cpu->device->load(artifacts[i], sources[i].launch));
        if (const std::string wrong = differ(cases[i], got, cases[i].want); !wrong.empty())
          return cpu->config.compiler + ": " + wrong;
        if (first[i].empty())
          first[i] = std::move(got);
        else if (first[i] != got)
          return "the routes disagree: " + cases[i].what();
      }
    }
    return "";
  }
};

/// Seeds `from` .. `from + count`, a batch of the compilers at a time, by two threads with compilers of their own. How often
/// each ingredient occurred.
Tally check_level(const std::string& isa, uint64_t from, uint64_t count) {
  constexpr uint64_t kBatch = 16;
  CAPTURE(isa);
  Tally tally;
  if (const std::string lacking = missing_feature(isa); !lacking.empty()) {
    MESSAGE("skipped: this processor has no " << lacking << ", which " << isa << " asks for");
    return tally;
  }
  const Routes routes[2] = {Routes(isa), Routes(isa)};
  if (!routes[0].missing.empty()) MESSAGE("skipped: " << routes[0].missing);
  REQUIRE(!routes[0].all.empty());
  std::atomic<uint64_t> next = from;
  std::mutex mutex;
  std::string wrong;
  const auto work = [&](const Routes& mine) {
    Tally own;
    for (uint64_t seed; (seed = next.fetch_add(kBatch)) < from + count;) {
      std::string found;
      try {
        found = mine.check(seed, std::min(kBatch, from + count - seed), own);
      } catch (const std::exception& e) {
        found = "seeds from " + std::to_string(seed) + ": " + e.what();
      }
      if (found.empty()) continue;
      std::lock_guard lock(mutex);
      wrong = found;
      next = from + count;
    }
    std::lock_guard lock(mutex);
    for (const auto& [what, times] : own) tally[what] += times;
  };
  std::thread other(work, std::cref(routes[1]));
  work(routes[0]);
  other.join();
  REQUIRE(wrong == "");
  return tally;
}

}  // namespace

TEST_CASE("compiled kernels compute what the interpreter computes") {
  const Tally tally = check_level("native", 1, 2400);
  std::string all;
  for (const auto& [what, times] : tally) all += (all.empty() ? "" : ", ") + what + " " + std::to_string(times);
  MESSAGE("of 2400 schedules: " << all);
  for (const char* what : {"stage of a buffer", "stage of a definition", "online", "fuse", "pad", "prefetch", "grid over parts of a sum",
                           "a nest's own tile", "a nest's own order"}) {
    CAPTURE(std::string(what));
    REQUIRE(tally.contains(what));
    CHECK(tally.at(what) >= 50);
  }
}
TEST_CASE("compiled kernels compute what the interpreter computes: x86-64-v3") { check_level("x86-64-v3", 100'001, 64); }
TEST_CASE("compiled kernels compute what the interpreter computes: x86-64-v4") { check_level("x86-64-v4", 200'001, 64); }
TEST_CASE("compiled kernels compute what the interpreter computes: ten thousand more" * doctest::skip()) {
  check_level("native", 10'001, 10'000);
}
