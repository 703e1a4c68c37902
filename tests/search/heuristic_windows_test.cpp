// The default schedule of convolutions: filters share vectors of a staged window, strided windows are sorted into runs.
#include "search/heuristic_windows.h"

#include <doctest/doctest.h>

#include "search/tune.h"
#include "tests/properties/equivalence.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {
Target avx512(int64_t l2_bytes = 2 << 20) { return {.vector_bytes = 64, .registers = 32, .cores = 1, .l2_bytes = l2_bytes}; }
const Target kAvx2{.vector_bytes = 32, .registers = 16, .cores = 1};

/// out[o, y, x] = Σ X[c, y·step + ky − pad, x·step + kx − pad] W[o, c, ky, kx], X being 0 outside of [height, width].
UOp strided(int64_t channels, int64_t filters, int64_t height, int64_t width, int64_t window, int64_t step, int64_t pad) {
  KernelWriter w;
  const int64_t rows = (height + 2 * pad - window) / step + 1, columns = (width + 2 * pad - window) / step + 1;
  const UOp o = w.axis("o", filters), y = w.axis("y", rows), x = w.axis("x", columns), c = w.axis("c", channels),
            ky = w.axis("ky", window), kx = w.axis("kx", window);
  const UOp out = w.param("out", dt::f32, {filters, rows, columns}), in = w.param("X", dt::f32, {channels, height, width});
  const auto inside = [](const UOp& i, int64_t n) {
    return alu(Op::And, alu(Op::Lt, iconst(-1), i), alu(Op::Lt, i, iconst(n)));
  };
  const UOp iy = y * iconst(step) + ky - iconst(pad), ix = x * iconst(step) + kx - iconst(pad);
  const UOp pixel = load(at(in, {c, iy, ix}), alu(Op::And, inside(iy, height), inside(ix, width)));
  const UOp weight = read(w.param("W", dt::f32, {filters, channels, window, window}), {o, c, ky, kx});
  return w.output("convolution", at(out, {o, y, x}), w.reduce("sum", pixel * weight, {c, ky, kx}), {o, y, x});
}
std::string chosen(const UOp& kernel, const Target& t = avx512()) { return text(heuristic(kernel, t)); }
}  // namespace

TEST_CASE("windows: filters are the rows that share vectors, however many lines there are") {
  for (const int64_t size : {64, 128, 256})
    CHECK(chosen(strided(32, 48, size, 64, 3, 1, 1)) ==
          "tile(o,6,upcast) tile(y,4) tile(x,64,upcast) tile(x,16,vec) tile(kx,3,unroll) grid(y) stage(X,y)");
}
TEST_CASE("windows: a copy takes half of the L2 at most, and fewer lines where it must") {
  const auto lines = [](int64_t channels) {
    for (const Opt& o : heuristic(strided(channels, 64, 128, 128, 3, 1, 1), avx512()))
      if (const auto* t = std::get_if<Tile>(&o); t && t->axis == "y") return t->size;
    return int64_t{1};
  };
  CHECK(lines(64) == 4);
  CHECK(lines(448) == 2);  // 448 · 4 · 130 · 4 bytes
  CHECK(lines(512) == 1);
}
TEST_CASE("windows: a narrow image has lines in its registers; a line that nearly fills a vector is one") {
  const std::string narrow = "tile(o,6,upcast) tile(y,4,upcast) tile(x,16,vec) tile(kx,3,unroll) grid(y) stage(X,y)";
  CHECK(chosen(strided(256, 256, 16, 16, 3, 1, 1)) == narrow);
  CHECK(chosen(strided(256, 256, 14, 14, 3, 1, 1)) == narrow);
  CHECK(chosen(strided(256, 256, 40, 10, 3, 1, 1)) != narrow);  // filters are
}
TEST_CASE("windows: strided ones are sorted into runs") {
  const UOp two = strided(32, 64, 64, 64, 3, 2, 1);
  CHECK(chosen(two) ==
        "tile(o,13,upcast) tile(y,4) tile(x,32,upcast) tile(x,16,vec) tile(kx,3,unroll) grid(y) "
        "stage(X,y,layout=1 0 2%2 2/2)");
  const Definition root = definitions(two).back();
  CHECK(combed_loads(two, root.ranges[2]) == 1);
  CHECK(combed_loads(two, root.ranges[1]) == 0);  // lines lie further apart
  CHECK(combed_loads(two, root.ranges[0]) == 0);
  CHECK(combed_loads(two, root.reduce_ranges[2]) == 0);
  CHECK(combed_loads(strided(32, 64, 64, 64, 3, 1, 1), definitions(strided(32, 64, 64, 64, 3, 1, 1)).back().ranges[2]) == 0);
  // All loads of a vector are whole ones.
  const UOp linear = lower(Schedule(two).apply(heuristic(two, avx512()))->scheduled(), avx512());
  for (const UOp& u : linear.src())
    if (u.is(Op::Load) && u.src(0).src(0).is(Op::Memory)) CHECK(u.src(0).src(1).dtype().lanes == 1);
}
TEST_CASE("windows: of any size and step, by default, give what the unscheduled kernel gives") {
  int staged = 0;
  for (const int64_t step : {1, 2, 3, 4, 5})
    for (const int64_t window : {2, 3, 5})
      for (const auto& [height, width] : {std::pair<int64_t, int64_t>{7, 9}, {16, 21}, {11, 34}, {9, 67}}) {
        const UOp kernel = strided(3, 5, height, width, window, step, window / 2);
        CAPTURE(step);
        CAPTURE(window);
        CAPTURE(width);
        const Equivalence unscheduled({kernel, {}});
        for (const Target& t : {avx512(), avx512(1 << 10), kAvx2}) {
          const Expected<Schedule> s = Schedule(kernel).apply(heuristic(kernel, t));
          REQUIRE_MESSAGE(s, s.reason());
          CHECK(unscheduled.check(*s) == "");
          staged += text(s->opts()).find("layout=") != std::string::npos;
        }
      }
  CHECK(staged >= 30);
}
