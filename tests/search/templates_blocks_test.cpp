// The seeds of a search on a GPU: few, legal, and of many kinds.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "search/moves.h"
#include "search/tune.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"
#include "uops/scope.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {

constexpr size_t kMost = 300;  // of any kernel: what is ranked before anything is compiled

bool among(const std::vector<Schedule>& found, const UOp& kernel, const std::string& opts) {
  const Expected<Schedule> s = Schedule(kernel, gpu_target()).apply(parse_opts(opts));
  REQUIRE_MESSAGE(s, s.reason());
  return std::any_of(found.begin(), found.end(), [&](const Schedule& n) { return text(n.opts()) == text(s->opts()); });
}
/// Those that are measured first, of so many places.
std::vector<Schedule> picked(const UOp& kernel, const Target& target, size_t places) {
  std::vector<std::pair<double, Schedule>> ranked;
  for (const Schedule& s : templates(kernel, target)) ranked.emplace_back(estimate(s, target), s);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> families;
  for (const auto& [cycles, s] : ranked) families.push_back(family(s, target));
  std::vector<Schedule> first;
  for (size_t i : varied(families))
    if (first.size() < places) first.push_back(ranked[i].second);
  return first;
}
std::set<std::string> families_of(const std::vector<Schedule>& all, const Target& target) {
  std::set<std::string> families;
  for (const Schedule& s : all) families.insert(family(s, target));
  return families;
}
/// A block's threads, results of a thread.
std::pair<int64_t, int64_t> shape_of(const Schedule& s) {
  int64_t threads = 1, results = 1;
  for (const Axis& a : s.axes()) {
    const auto& chain = s.chain(a.name);
    for (size_t i = 0; i < chain.size(); ++i) {
      const int64_t trips = chain[i].size / (i + 1 < chain.size() ? chain[i + 1].size : 1);
      if (chain[i].kind == Kind::Local) threads *= trips;
      if (is_register(chain[i].kind) && a.output) results *= trips;
    }
  }
  return {threads, results};
}

}  // namespace

TEST_CASE("templates of blocks: few of any kernel, each once and legal, and of several families") {
  const UOp kernels[] = {gemm(8192, 8192, 8192),
                         gemm(4096, 4096, 4096),
                         gemm(4096, 4096, 4096, false, true),
                         gemm(1024, 1024, 1024, true, true),
                         gemm(1024, 1024, 1024, true, false),
                         gemm(512, 4096, 4096),
                         gemm(77, 768, 768),
                         gemm(64, 64, 65536),
                         gemm(777, 1031, 513),
                         gemm(1024, 1024, 3),
                         gemm(17, 4096, 4096, false, true),
                         gemm(1, 4096, 4096, false, true),
                         gemm(1, 4096, 4096),
                         convolution(320, 320, 64, 64),
                         convolution(4, 8, 512, 512),
                         softmax(1024, 4096),
                         attention(1500, 1500, 64, 64),
                         two_sums(512, 4096),
                         total(iconst(1 << 24)),
                         relu(iconst(1 << 20)),
                         gather(4096, 512, 32000)};
  for (const Target& target : {gpu_target(), gpu_target(16)})
    for (const UOp& k : kernels) {
      CAPTURE(pretty(k));
      CAPTURE(target.sms);
      const std::vector<Schedule> found = templates(k, target);
      CHECK(found.size() >= 8);
      CHECK(found.size() <= kMost);
      CHECK(families_of(found, target).size() >= 3);
      std::set<std::string> seen = {text(Schedule(k, target).apply(heuristic(k, target))->opts())};
      for (const Schedule& s : found) CHECK(seen.insert(text(s.opts())).second);
      for (size_t i = 0; i < found.size(); i += found.size() / 20 + 1) {
        const Expected<Schedule> again = Schedule(k, target).apply(found[i].opts());
        REQUIRE_MESSAGE(again, again.reason());
        CHECK(text(again->opts()) == text(found[i].opts()));
      }
    }
}

TEST_CASE("templates of blocks: a large product's are what hands would write") {
  const UOp k = gemm(4096, 4096, 4096);
  const std::vector<Schedule> found = templates(k, gpu_target());
  const std::string eights =
      "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,64,local) tile(n,4,upcast) ";
  CHECK(among(found, k,
              eights + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad,stages=2) stage(B,k,stages=2) bounds(2)"));
  const std::string turn = "tile(k,16) tile(k,8,unroll) grid(m n) ";
  CHECK(among(
      found, k,
      eights + turn + "stage(A,k,layout=src+swizzle,stages=6,copy=cp.async) stage(B,k,stages=6,copy=cp.async) bounds(2)"));
  CHECK(
      among(found, k,
            eights + turn + "stage(A,k,layout=src+pad,stages=6,copy=cp.async) stage(B,k,stages=6,copy=cp.async) bounds(2)"));
  CHECK(among(found, k,
              "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,32,local) tile(n,4,upcast) "
              "tile(k,16) tile(k,4,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=6,copy=cp.async) "
              "stage(B,k,stages=6,copy=cp.async) bounds(2)"));
  for (const Schedule& s : found) {
    CAPTURE(text(s.opts()));
    CHECK(s.stages().size() == 2);                          // all staged
    CHECK(s.grid() == std::vector<std::string>{"m", "n"});  // no parts of a sum where blocks are plenty, no other order
    const auto [threads, results] = shape_of(s);
    CHECK(threads * std::max<int64_t>(1, s.blocks()) * (results + 28) <= 65536);  // the registers are there
    CHECK(threads * results >= 128 * 64);  // no small tiles: they read shared memory more often
  }
}

TEST_CASE("templates of blocks: parts of a sum where blocks do not fill the machine, and only there") {
  const auto parted = [](const UOp& k) {
    size_t n = 0;
    for (const Schedule& s : templates(k, gpu_target())) n += s.grid().size() == 3;
    return n;
  };
  CHECK(parted(gemm(64, 64, 65536)) > 20);
  CHECK(parted(gemm(512, 512, 4096)) > 20);
  CHECK(parted(gemm(4096, 4096, 4096)) == 0);
  const std::vector<Schedule> thin = templates(gemm(64, 64, 65536), gpu_target());
  CHECK(std::any_of(thin.begin(), thin.end(), [](const Schedule& s) {
    return s.grid().size() == 3 && s.stages().size() == 2 && s.stages()[0].copy == StageCopy::CpAsync;
  }));
}

TEST_CASE("templates of blocks: tiles that are mostly padding are left out, and turns of a short sum") {
  for (const Schedule& s : templates(gemm(77, 768, 768), gpu_target()))
    CHECK((s.chain("m").empty() || s.chain("m")[0].size <= 32));
  for (const Schedule& s : templates(gemm(512, 512, 3), gpu_target()))
    CHECK((s.chain("k").empty() || s.chain("k")[0].size <= 3));
}

TEST_CASE("templates of blocks: what is measured first is of as many families as there are places") {
  const Target target = gpu_target();
  for (const UOp& k : {gemm(4096, 4096, 4096), gemm(1024, 1024, 1024), gemm(64, 64, 65536), softmax(1024, 4096),
                       gemm(1, 4096, 4096, false, true), relu(iconst(1 << 20))}) {
    CAPTURE(pretty(k));
    const size_t all = families_of(templates(k, target), target).size();
    for (size_t places : {8, 24}) CHECK(families_of(picked(k, target, places), target).size() == std::min(all, places));
  }
  // Both ways of bringing operands, several tiles, in the first dozen.
  std::set<std::string> tiles;
  std::map<StageCopy, int> ways;
  for (const Schedule& s : picked(gemm(4096, 4096, 4096), target, 12)) {
    tiles.insert(std::to_string(s.chain("m")[0].size) + "x" + std::to_string(s.chain("n")[0].size));
    ++ways[s.stages()[0].copy];
  }
  CHECK(tiles.size() >= 3);
  CHECK(ways.size() == 2);
}

TEST_CASE("varied: one of each family before second ones, each family by its best") {
  CHECK(varied({"a", "a", "b", "a", "c", "b"}) == std::vector<size_t>{0, 2, 4, 1, 5, 3});
  CHECK(varied({"", "", ""}) == std::vector<size_t>{0, 1, 2});  // no families: as they are ranked
  CHECK(varied({}).empty());
}
