// The beam's steps on a GPU: legal, different, and what they lead to computes the same.
#include "search/moves_blocks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "search/moves.h"
#include "search/tune.h"
#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"
#include "uops/lower.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {

Schedule with(const UOp& kernel, const char* opts) {
  const Expected<Schedule> s = Schedule(kernel, gpu_target()).apply(parse_opts(opts));
  REQUIRE_MESSAGE(s, s.reason());
  return *s;
}
void check_legal(const Schedule& s, const std::vector<Schedule>& found) {
  std::set<std::string> seen = {text(s.opts())};
  for (const Schedule& next : found) {
    CAPTURE(text(next.opts()));
    CHECK(seen.insert(text(next.opts())).second);
    const Expected<Schedule> again = Schedule(s.kernel(), s.target()).apply(next.opts());
    REQUIRE_MESSAGE(again, again.reason());
    CHECK(text(again->opts()) == text(next.opts()));
  }
}
bool among(const std::vector<Schedule>& found, const UOp& kernel, const char* opts) {
  const std::string want = text(with(kernel, opts).opts());
  return std::any_of(found.begin(), found.end(), [&](const Schedule& n) { return text(n.opts()) == want; });
}
bool leads_to(const Schedule& s, const char* opts) { return among(moves(s, gpu_target()), s.kernel(), opts); }

}  // namespace

TEST_CASE("moves of blocks: legal, different, and away from the start") {
  for (const UOp& k : {gemm(256, 192, 100), softmax(8, 1000), total(iconst(100000)), relu(iconst(1000)),
                       gemm(1, 512, 512, false, true), convolution(8, 16, 20, 20), attention(100, 90, 16, 16),
                       attention(4, 600, 16, 16)}) {
    CAPTURE(pretty(k));
    check_legal(Schedule(k, gpu_target()), moves(Schedule(k, gpu_target()), gpu_target()));
    const Schedule s = *Schedule(k, gpu_target()).apply(heuristic(k, gpu_target()));
    check_legal(s, moves(s, gpu_target()));
  }
}
TEST_CASE("moves of blocks: each kind of step is there") {
  const UOp k = gemm(1024, 1024, 1024);
  const Schedule s = with(k,
                          "tile(m,64,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast) tile(k,8,unroll) grid(m n) "
                          "stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2)");
  const char* rest = " tile(k,8,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2)";
  const auto tiles = [&](const std::string& t) { return t + rest; };
  CHECK(leads_to(s, tiles("tile(m,128,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast)").c_str()));  // threads
  CHECK(leads_to(s, tiles("tile(m,32,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast)").c_str()));
  CHECK(leads_to(s, tiles("tile(m,128,local) tile(m,8,upcast) tile(n,64,local) tile(n,4,upcast)").c_str()));  // registers
  CHECK(leads_to(s, tiles("tile(m,64,local) tile(m,8,upcast) tile(n,64,local) tile(n,4,upcast)").c_str()));   // for threads
  CHECK(leads_to(s, tiles("tile(m,64,upcast) tile(m,32,local) tile(m,2,upcast) tile(n,64,local) tile(n,4,upcast)").c_str()));
  const std::string t = "tile(m,64,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast) ";
  const std::string ring = " stage(A,k,layout=src+swizzle,stages=4,copy=cp.async) stage(B,k,stages=4,copy=cp.async)";
  CHECK(leads_to(s, (t + "tile(k,16,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2)").c_str()));
  CHECK(leads_to(
      s, (t + "tile(k,16) tile(k,8,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2)").c_str()));
  CHECK(leads_to(s, (t + "tile(k,8,unroll) grid(m n)" + ring).c_str()));
  CHECK(leads_to(s, (t + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad,stages=2) stage(B,k,stages=2)").c_str()));
  CHECK(leads_to(s, (t + "tile(k,8,unroll) grid(m n) stage(B,k,stages=2)").c_str()));  // one stage less
  CHECK(leads_to(s, (t + "tile(k,8,unroll) grid(n m) stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2)").c_str()));
  CHECK(leads_to(s, (t + "tile(k,256) tile(k,8,unroll) grid(m n k) stage(A,k:256,layout=src+swizzle,stages=2) "
                         "stage(B,k:256,stages=2)")
                        .c_str()));  // parts of the sum
  CHECK(leads_to(
      s, (t + "tile(k,8,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=2) stage(B,k,stages=2) bounds(2)").c_str()));
}
TEST_CASE("moves of blocks: one nest of several at a time, other neighbours, other parts") {
  const UOp k = attention(4, 600, 16, 16);
  const std::string start = text(heuristic(k, gpu_target()));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string next = start;
    REQUIRE(next.find(from) != next.npos);
    return next.replace(next.find(from), from.size(), to);
  };
  const Schedule s = with(k, start.c_str());
  CHECK(leads_to(s, changed("tile(S.i,4,upcast)", "tile(S.i,2,upcast)").c_str()));
  std::string larger = changed("tile(out.j,128)", "tile(out.j,256)");  // parts
  for (size_t at; (at = larger.find("j:128")) != larger.npos;) larger.replace(at, 5, "j:256");
  CHECK(leads_to(s, larger.c_str()));
  CHECK(leads_to(s, changed(" lanes(M.j)", "").c_str()) == false);  // all at once
  CHECK(leads_to(s, changed(" lanes(M.j) lanes(L.j) lanes(e)", "").c_str()));
}
TEST_CASE("moves of blocks: what is staged stays staged where a part of the sum changes its size, or becomes all of it") {
  const UOp k = gemm(64, 64, 4096);
  const std::string t = "tile(m,64,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast) ";
  const Schedule s = with(k, (t + "tile(k,256) tile(k,8,unroll) grid(m n k) stage(A,k:256) stage(B,k:256)").c_str());
  CHECK(leads_to(s, (t + "tile(k,512) tile(k,8,unroll) grid(m n k) stage(A,k:512) stage(B,k:512)").c_str()));
  CHECK(leads_to(s, (t + "tile(k,128) tile(k,8,unroll) grid(m n k) stage(A,k:128) stage(B,k:128)").c_str()));
  CHECK(leads_to(s, (t + "tile(k,8,unroll) grid(m n) stage(A,k) stage(B,k)").c_str()));
}
TEST_CASE("templates and moves of blocks compute what the unscheduled kernel computes") {
  Target small = gpu_target(4);
  small.shared_block_bytes = small.shared_sm_bytes = 64 << 10, small.max_threads = 256;
  for (const RandomKernel& k : {RandomKernel{gemm(40, 36, 50), {}}, RandomKernel{gemm(33, 40, 24, true, true), {}},
                                RandomKernel{softmax(5, 130), {}}, RandomKernel{total(iconst(3000)), {}},
                                RandomKernel{attention(20, 70, 12, 8), {}}, RandomKernel{attention(3, 300, 12, 8), {}}}) {
    const Equivalence unscheduled(k, 1);
    std::vector<Schedule> all = templates(k.kernel, small);
    REQUIRE(!all.empty());
    std::vector<Schedule> next = moves(all[all.size() / 2], small);
    all.insert(all.end(), next.begin(), next.end());
    for (size_t i = 0; i < all.size(); i += all.size() / 12 + 1) {
      CAPTURE(text(all[i].opts()));
      CHECK(unscheduled.check_blocks(all[i]) == "");
    }
  }
}
