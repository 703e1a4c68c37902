#include "uops/interpret.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "uops/evaluate.h"
#include "uops/half.h"
#include "uops/kernel.h"
#include "uops/linear.h"

using namespace pg;

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

UOp linear(std::initializer_list<UOp> entries) { return UOp(Op::Linear, dt::kVoid, std::string("test"), entries); }
UOp param(int64_t slot, const char* name, DType t = dt::f32) { return UOp(Op::Param, t, ParamArg{slot, name}, {iconst(0)}); }
UOp memory(int64_t number, DType t, int64_t extent) { return UOp(Op::Memory, t, ParamArg{number, "acc"}, {iconst(extent)}); }
UOp at(const UOp& buffer, const UOp& i, DType t = dt::kVoid) {
  return UOp(Op::Index, t == dt::kVoid ? buffer.dtype() : t, {}, {buffer, i});
}
UOp loop(const UOp& range) { return UOp(Op::For, dt::kVoid, {}, {range}); }
UOp when(const UOp& condition) { return UOp(Op::If, dt::kVoid, {}, {condition}); }
UOp end(const UOp& opener) { return UOp(Op::End, dt::kVoid, {}, {opener}); }
UOp lanes(int n) { return UOp(Op::Lanes, dt::index.vec(n), {}, {}); }

template <class T>
HostBuffer host(std::vector<T>& v) {
  return {v.data(), static_cast<int64_t>(v.size())};
}
/// The message of the error that running the program raises.
std::string error_of(const UOp& program, std::vector<HostBuffer> buffers, std::vector<int64_t> variables = {},
                     InterpretOptions options = {}) {
  try {
    interpret(program, buffers, variables, options);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}
bool contains(const std::string& s, const char* part) { return s.find(part) != s.npos; }
#define CHECK_ERROR(message, ...)                  \
  do {                                             \
    const std::string got = error_of(__VA_ARGS__); \
    CAPTURE(got);                                  \
    CHECK(contains(got, message));                 \
  } while (0)

/// out[0] = op applied to the sources.
template <class T>
T result_of(const UOp& value, bool exact = false) {
  std::vector<T> out(1);
  const UOp p = param(0, "out", value.dtype());
  UOps entries;
  for (const UOp& u : toposort(value))
    if (is_linear_value(u)) entries.push_back(u);
  entries.push_back(store(at(p, iconst(0)), value));
  interpret(UOp(Op::Linear, dt::kVoid, std::string("t"), entries), std::vector{host(out)}, {}, {.exact = exact});
  return out[0];
}
}  // namespace

TEST_CASE("interpret: an accumulator is read before and after its store") {
  std::vector<float> x(10), y(2, -1);
  std::iota(x.begin(), x.end(), 1.0f);
  const UOp out = param(0, "out"), in = param(1, "in");
  const UOp r = range("k", iconst(10)), acc = memory(0, dt::f32, 1), cell = at(acc, iconst(0)), l = load(cell),
            v = load(at(in, r));
  const UOp sum = l + v;
  const UOp program =
      linear({acc, store(cell, constant(dt::f32, 0.0)), l, store(at(out, iconst(1)), l), loop(r), l, v, sum,
              store(cell, sum), end(loop(r)), store(at(out, iconst(1)), l), l, store(at(out, iconst(0)), l)});
  interpret(program, std::vector{host(y), host(x)}, {});
  CHECK(y[0] == 55);
  CHECK(y[1] == 0);  // after the loop the load before it counts again, until it is listed anew
}

TEST_CASE("interpret: a scope's values and memory end with it") {
  std::vector<float> y(4);
  const UOp out = param(0, "out"), r = range("i", iconst(2)), v = cast(r, dt::f32), acc = memory(0, dt::f32, 1);
  CHECK_ERROR("nothing has bound here", linear({loop(r), v, end(loop(r)), store(at(out, iconst(0)), v)}), {host(y)});
  CHECK_ERROR("nothing has bound here", linear({loop(r), v, end(loop(r)), store(at(out, r), constant(dt::f32, 1.0))}),
              {host(y)});
  CHECK_ERROR("nothing has bound here", linear({store(at(out, iconst(0)), v), v}), {host(y)});
  const UOp l = load(at(acc, iconst(0)));
  CHECK_ERROR("not alive", linear({loop(r), acc, end(loop(r)), l}), {});
  CHECK_ERROR("not alive", linear({l}), {});

  // the second trip finds poison, not what the first one left
  const UOp trip = alu(Op::Eq, r, iconst(0));
  const UOp init = store(at(acc, iconst(0)), constant(dt::f32, 7.0));
  interpret(linear({loop(r), acc, trip, when(trip), init, end(when(trip)), l, store(at(out, r), l), end(loop(r))}),
            std::vector{host(y)}, {});
  CHECK(y[0] == 7);
  CHECK(std::isnan(y[1]));
}

TEST_CASE("interpret: private memory is poisoned") {
  std::vector<float> f(1);
  std::vector<int32_t> n(1);
  const UOp mf = memory(0, dt::f32, 4), mi = memory(1, dt::i32, 4);
  const UOp lf = load(at(mf, iconst(3))), li = load(at(mi, iconst(0)));
  interpret(
      linear({mf, mi, lf, li, store(at(param(0, "f"), iconst(0)), lf), store(at(param(1, "n", dt::i32), iconst(0)), li)}),
      std::vector{host(f), host(n)}, {});
  CHECK(std::isnan(f[0]));
  CHECK(n[0] == 0x5a5a5a5a);
}

TEST_CASE("interpret: the grid's items") {
  const UOp n = variable("n", 1, 100), r = range("g", n, 0, Kind::Grid), out = param(0, "out", dt::i64);
  const UOp program = linear({loop(r), store(at(out, r), r), end(loop(r))});
  std::vector<int64_t> y(6, -1);
  const std::vector<int64_t> variables{6};
  interpret(program, std::vector{host(y)}, variables, {}, 2, 4);
  CHECK(y == std::vector<int64_t>{-1, -1, 2, 3, -1, -1});
  interpret(program, std::vector{host(y)}, variables);
  CHECK(y == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
  CHECK_THROWS_AS(interpret(program, std::vector{host(y)}, variables, {}, 2, 7), InternalError);
  CHECK_ERROR("outside of the Variable's interval", program, {host(y)}, {101});
  CHECK_ERROR("0 integers for 1", program, {host(y)});
  CHECK_ERROR("0 buffers for 1", program, {}, {6});
  const UOp outer = range("o", iconst(2));
  CHECK_ERROR("round the grid", linear({loop(outer), loop(r), end(loop(r)), end(loop(outer))}), {}, {6});
  // without a grid there is one item
  const UOp one = linear({store(at(out, iconst(0)), iconst(9))});
  interpret(one, std::vector{host(y)}, {}, {}, 0, 0);
  CHECK(y[0] == 0);
  interpret(one, std::vector{host(y)}, {}, {}, 0, 1);
  CHECK(y[0] == 9);
}

TEST_CASE("interpret: grid items that race are found when asked for") {
  std::vector<int64_t> y(8);
  const UOp r = range("g", iconst(4), 0, Kind::Grid), out = param(0, "out", dt::i64), half = idiv(r, iconst(2)),
            next = r + iconst(1);
  const UOp mine = load(at(out, r)), neighbour = load(at(out, next)), first = load(at(out, iconst(7)));
  const InterpretOptions races{.races = true};
  const UOp collide = linear({loop(r), half, store(at(out, half), r), end(loop(r))});
  CHECK_ERROR("item 1 writes element 0 that item 0 wrote", collide, {host(y)}, {}, races);
  CHECK_ERROR("", collide, {host(y)});
  CHECK_ERROR("item 1 writes element 1 that item 0 read",
              linear({loop(r), next, neighbour, store(at(out, r), neighbour), end(loop(r))}), {host(y)}, {}, races);
  CHECK_ERROR("item 1 reads element 1 that item 0 wrote",
              linear({loop(r), next, store(at(out, next), r), mine, end(loop(r))}), {host(y)}, {}, races);
  const UOp last = alu(Op::Eq, r, iconst(3));
  CHECK_ERROR("item 3 writes element 7 that others read",
              linear({loop(r), first, last, when(last), store(at(out, iconst(7)), r), end(when(last)), end(loop(r))}),
              {host(y)}, {}, races);
  CHECK_ERROR(
      "", linear({loop(r), first, mine, store(at(out, r), mine), mine, end(loop(r)), store(at(out, iconst(0)), iconst(1))}),
      {host(y)}, {}, races);
}

TEST_CASE("interpret: a second grid may touch what the first one wrote, its items not what others of theirs do") {
  std::vector<int64_t> y(8);
  const UOp r = range("g", iconst(4), 0, Kind::Grid), s = range("h", iconst(3), 0, Kind::Grid),
            out = param(0, "out", dt::i64);
  const UOp next = s + iconst(1), neighbour = load(at(out, next));
  const InterpretOptions races{.races = true};
  const auto with_place = [&](const UOp& place) {
    return linear({loop(r), store(at(out, r), r), end(loop(r)), loop(s), next, neighbour, place,
                   store(at(out, place), neighbour), end(loop(s))});
  };
  CHECK_ERROR("", with_place(s + iconst(4)), {host(y)}, {}, races);
  CHECK(y == std::vector<int64_t>{0, 1, 2, 3, 1, 2, 3, 0});
  CHECK_ERROR("item 1 writes element 0 that item 0 wrote", with_place(idiv(s, iconst(2))), {host(y)}, {}, races);
  // ids of the second one begin where those of the first one end
  y.assign(8, 0);
  const UOp program = with_place(s + iconst(4));
  interpret(program, std::vector{host(y)}, {}, {}, 0, 4);
  CHECK(y == std::vector<int64_t>{0, 1, 2, 3, 0, 0, 0, 0});
  interpret(program, std::vector{host(y)}, {}, {}, 4, 6);
  CHECK(y == std::vector<int64_t>{0, 1, 2, 3, 1, 2, 0, 0});
  interpret(program, std::vector{host(y)}, {}, {}, 6, 7);
  CHECK(y == std::vector<int64_t>{0, 1, 2, 3, 1, 2, 3, 0});
  CHECK_THROWS_AS(interpret(program, std::vector{host(y)}, {}, {}, 0, 8), InternalError);
}

TEST_CASE("interpret: a workspace is poisoned at each launch and shared by its items") {
  std::vector<float> y(2);
  const UOp out = param(0, "out"), r = range("g", iconst(2), 0, Kind::Grid), s = range("h", iconst(2), 0, Kind::Grid);
  const UOp parts(Op::Param, dt::f32, ParamArg{kWorkspaceSlot, "parts"}, {iconst(2)});
  const UOp mine = load(at(parts, s)), seven = constant(dt::f32, 7.0);
  const UOp first = alu(Op::Eq, r, iconst(0));
  const UOp program = linear({loop(r), first, when(first), store(at(parts, r), seven), end(when(first)), end(loop(r)),
                              loop(s), mine, store(at(out, s), mine), end(loop(s))});
  interpret(program, std::vector{host(y)}, {}, {.races = true});
  CHECK(y[0] == 7);
  CHECK(std::isnan(y[1]));  // nobody wrote it
  const UOp collide = linear({loop(r), store(at(parts, iconst(0)), seven), end(loop(r))});
  CHECK_ERROR("item 1 writes element 0 that item 0 wrote", collide, {}, {}, {.races = true});
}

TEST_CASE("interpret: runs, gathers and scatters") {
  std::vector<float> x(12), y(12, 0);
  std::iota(x.begin(), x.end(), 0.0f);
  const UOp out = param(0, "out"), in = param(1, "in"), three = broadcast(iconst(3), 4), i = alu(Op::Mul, lanes(4), three);
  const UOp run = load(at(in, iconst(5), dt::f32.vec(4))), picked = load(at(in, i, dt::f32.vec(4)));
  interpret(linear({run, store(at(out, iconst(1), dt::f32.vec(4)), run)}), std::vector{host(y), host(x)}, {});
  CHECK(y == std::vector<float>{0, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0});
  interpret(linear({three, i, picked, store(at(out, iconst(1), dt::f32.vec(4)), picked)}), std::vector{host(y), host(x)},
            {});
  CHECK(y == std::vector<float>{0, 0, 3, 6, 9, 0, 0, 0, 0, 0, 0, 0});
  interpret(linear({three, i, run, store(at(out, i, dt::f32.vec(4)), run)}), std::vector{host(y), host(x)}, {});
  CHECK(y == std::vector<float>{5, 0, 3, 6, 9, 0, 7, 0, 0, 8, 0, 0});
}

TEST_CASE("interpret: a memory of vector registers") {
  std::vector<float> y(8), x(8);
  std::iota(x.begin(), x.end(), 0.0f);
  const DType v4 = dt::f32.vec(4);
  const UOp out = param(0, "out"), in = param(1, "in"), regs = memory(0, v4, 2), r = range("i", iconst(2)),
            four = r * iconst(4);
  const UOp v = load(at(in, four, v4)), l0 = load(at(regs, iconst(0))), l1 = load(at(regs, iconst(1)));
  interpret(linear({regs, loop(r), four, v, store(at(regs, r), v), end(loop(r)), l0, l1, store(at(out, iconst(0), v4), l1),
                    store(at(out, iconst(4), v4), l0)}),
            std::vector{host(y), host(x)}, {});
  CHECK(y == std::vector<float>{4, 5, 6, 7, 0, 1, 2, 3});
  CHECK_ERROR("accessed whole", linear({regs, load(at(regs, iconst(0), dt::f32))}), {});
  CHECK_ERROR("index 2 is outside of 0 .. 1", linear({regs, load(at(regs, iconst(2)))}), {});
}

TEST_CASE("interpret: gates") {
  std::vector<float> x{1, 2, 3}, y(6, -1);
  const DType v4 = dt::f32.vec(4);
  const UOp out = param(0, "out"), in = param(1, "in");
  const UOp three = broadcast(iconst(3), 4), gate = alu(Op::Lt, lanes(4), three), l = load(at(in, iconst(0), v4), gate);
  interpret(linear({three, gate, l, store(at(out, iconst(0), v4), l)}), std::vector{host(y), host(x)}, {});
  CHECK(y == std::vector<float>{1, 2, 3, 0, -1, -1});
  y.assign(3, 0);
  const UOp ones = broadcast(constant(dt::f32, 1.0), 4);
  interpret(linear({three, gate, ones, store(at(out, iconst(0), v4), ones, gate)}), std::vector{host(y)}, {});
  CHECK(y == std::vector<float>{1, 1, 1});
  const UOp no = constant(dt::kBool, int64_t{0});
  const UOp far = load(at(in, iconst(-100)), no);
  interpret(linear({far, store(at(out, iconst(0)), far)}), std::vector{host(y), host(x)}, {});
  CHECK(y[0] == 0);
  CHECK_ERROR("a bool for each lane", linear({load(at(in, iconst(0), v4), no)}), {host(x)});
}

TEST_CASE("interpret: every access is checked") {
  std::vector<float> x(10);
  const UOp in = param(0, "in");
  CHECK_ERROR("index 10 is outside of 0 .. 9", linear({load(at(in, iconst(10)))}), {host(x)});
  CHECK_ERROR("index -1 is outside of 0 .. 9", linear({load(at(in, iconst(-1)))}), {host(x)});
  CHECK_ERROR("index 10 is outside of 0 .. 9", linear({load(at(in, iconst(7), dt::f32.vec(4)))}), {host(x)});
  CHECK_ERROR("index 10 is outside of 0 .. 9", linear({store(at(in, iconst(10)), constant(dt::f32, 1.0))}), {host(x)});
  const UOp five = broadcast(iconst(5), 4), i = alu(Op::Mul, lanes(4), five);
  CHECK_ERROR("index 10 is outside of 0 .. 9", linear({five, i, load(at(in, i, dt::f32.vec(4)))}), {host(x)});
  const UOp m = memory(0, dt::f32, 4);
  CHECK_ERROR("index 4 is outside of 0 .. 3", linear({m, load(at(m, iconst(4)))}), {});
  CHECK_ERROR("no memory behind", linear({load(at(in, iconst(0)))}), {HostBuffer{nullptr, 3}});
}

TEST_CASE("interpret: broken programs are refused") {
  std::vector<float> x(10);
  const UOp in = param(0, "in"), r = range("i", iconst(2)), yes = constant(dt::kBool, int64_t{1});
  const UOp i2 = broadcast(iconst(0), 2);
  CHECK_ERROR("not a Linear", iconst(1), {});
  CHECK_ERROR("no End closes", linear({loop(r)}), {});
  CHECK_ERROR("does not close", linear({loop(r), when(yes), end(loop(r))}), {});
  CHECK_ERROR("does not close", linear({end(loop(r))}), {});
  CHECK_ERROR("not an op of a Linear", linear({UOp(Op::Block, dt::kVoid, {}, {})}), {});
  CHECK_ERROR("one bool", linear({when(iconst(1))}), {});
  CHECK_ERROR("needs a Range", linear({loop(iconst(1))}), {});
  CHECK_ERROR("one index", linear({load(UOp(Op::Index, dt::f32, {}, {in, iconst(0), iconst(0)}))}), {host(x)});
  CHECK_ERROR("one index a lane", linear({i2, load(at(in, i2, dt::f32.vec(4)))}), {host(x)});
  CHECK_ERROR("not of in's type", linear({load(at(in, iconst(0), dt::i32))}), {host(x)});
  CHECK_ERROR("not of the Index's type", linear({UOp(Op::Load, dt::i32, {}, {at(in, iconst(0))})}), {host(x)});
  CHECK_ERROR("not of the Index's type", linear({store(at(in, iconst(0)), iconst(0))}), {host(x)});
  CHECK_ERROR("number of lanes", linear({i2, UOp(Op::Add, dt::index.vec(2), {}, {i2, iconst(1)})}), {});
  CHECK_ERROR("extents are constant", linear({UOp(Op::Memory, dt::f32, ParamArg{0, "m"}, {variable("n", 1, 2)})}), {}, {1});
  CHECK_ERROR("a source for each lane", linear({UOp(Op::Stack, dt::index.vec(3), {}, {iconst(1), iconst(2)})}), {});
  CHECK_ERROR("lane 2 does not exist", linear({i2, UOp(Op::Shuffle, dt::index.vec(2), Ints{0, 2}, {i2})}), {});
  const UOp pair = UOp(Op::Shuffle, dt::index.vec(2), Ints{0, 3}, {i2, i2});
  CHECK_ERROR("lane 4 does not exist", linear({i2, UOp(Op::Shuffle, dt::index.vec(2), Ints{0, 4}, {i2, i2})}), {});
  CHECK_ERROR("two vectors of one type", linear({i2, pair, UOp(Op::Shuffle, dt::index, Ints{0}, {i2, iconst(1)})}), {});
  CHECK_ERROR("a number for each lane", linear({i2, UOp(Op::Shuffle, dt::index.vec(2), Ints{0}, {i2})}), {});
  CHECK_ERROR("not an op on floats", linear({alu(Op::Mod, constant(dt::f32, 1.0), constant(dt::f32, 1.0))}), {});
  CHECK_ERROR("not an op on integers", linear({alu(Op::Exp, iconst(1))}), {});
}

TEST_CASE("interpret: division by zero, shifts, the step limit") {
  const UOp n = variable("n", 0, 64);
  CHECK_ERROR("division by zero", linear({idiv(iconst(1), n)}), {}, {0});
  CHECK_ERROR("division by zero", linear({mod(iconst(1), n)}), {}, {0});
  CHECK_ERROR("shift by 64 bits", linear({alu(Op::Shl, iconst(1), n)}), {}, {64});
  const UOp r = range("i", iconst(1'000'000)), v = r + iconst(1), program = linear({loop(r), v, end(loop(r))});
  CHECK_ERROR("step limit of 1000", program, {}, {}, {.max_steps = 1000});
  CHECK_THROWS_AS(interpret(program, {}, {}, {.max_steps = 1000}), UserError);
  CHECK_ERROR("", program, {});
}

TEST_CASE("interpret: a For of no trips and an If that is false are skipped") {
  std::vector<int64_t> y(1, 5);
  const UOp out = param(0, "out", dt::i64), n = variable("n", 0, 9), r = range("i", n), no = alu(Op::Lt, n, iconst(0));
  interpret(linear({loop(r), store(at(out, iconst(0)), r), end(loop(r)), no, when(no), store(at(out, iconst(7)), n),
                    end(when(no))}),
            std::vector{host(y)}, std::vector<int64_t>{0});
  CHECK(y[0] == 5);
}

TEST_CASE("interpret: integers wrap, floor and compare by their dtype") {
  auto c = [](DType t, int64_t v) { return constant(t, v); };
  CHECK(result_of<uint8_t>(c(dt::u8, 200) + c(dt::u8, 100)) == 44);
  CHECK(result_of<int8_t>(c(dt::i8, 100) + c(dt::i8, 100)) == -56);
  CHECK(result_of<int32_t>(c(dt::i32, 1 << 30) * c(dt::i32, 6)) == -2147483647 - 1);
  CHECK(result_of<uint32_t>(alu(Op::Neg, c(dt::u32, 1))) == 0xffffffffu);
  CHECK(result_of<uint16_t>(alu(Op::Not, c(dt::u16, 1))) == 0xfffe);
  CHECK(result_of<int32_t>(idiv(c(dt::i32, -7), c(dt::i32, 2))) == -4);
  CHECK(result_of<int32_t>(mod(c(dt::i32, -7), c(dt::i32, 2))) == 1);
  CHECK(result_of<int32_t>(mod(c(dt::i32, 7), c(dt::i32, -2))) == -1);
  CHECK(result_of<int32_t>(alu(Op::Shr, c(dt::i32, -8), c(dt::i32, 1))) == -4);
  CHECK(result_of<uint32_t>(alu(Op::Shr, c(dt::u32, -8), c(dt::u32, 28))) == 15);
  CHECK(result_of<uint64_t>(idiv(c(dt::u64, -1), c(dt::u64, 2))) == 0x7fffffffffffffffu);
  CHECK(result_of<uint64_t>(alu(Op::Max, c(dt::u64, -1), c(dt::u64, 1))) == ~uint64_t{0});
  CHECK(result_of<uint8_t>(alu(Op::Lt, c(dt::u64, -1), c(dt::u64, 1))) == 0);
  CHECK(result_of<uint8_t>(alu(Op::Not, c(dt::kBool, 1))) == 0);
  CHECK(result_of<int32_t>(alu(Op::Where, c(dt::kBool, 0), c(dt::i32, 1), c(dt::i32, 2))) == 2);
}

TEST_CASE("interpret: casts and bits") {
  CHECK(result_of<int32_t>(cast(constant(dt::f32, -2.9), dt::i32)) == -2);
  CHECK(result_of<uint32_t>(cast(constant(dt::f32, 4e9), dt::u32)) == 4000000000u);
  CHECK(result_of<float>(cast(constant(dt::u64, int64_t{-1}), dt::f32)) == 0x1p64f);
  CHECK(result_of<float>(cast(constant(dt::i64, int64_t{(1 << 24) + 1}), dt::f32)) == 0x1p24f);
  CHECK(result_of<uint8_t>(cast(constant(dt::f32, 0.5), dt::kBool)) == 1);
  CHECK(result_of<uint32_t>(UOp(Op::Bitcast, dt::u32, {}, {constant(dt::f32, 1.0)})) == 0x3f800000);
  CHECK(result_of<float>(UOp(Op::Bitcast, dt::f32, {}, {constant(dt::i32, int64_t{-0x80000000LL})})) == 0);
  CHECK(result_of<uint16_t>(cast(constant(dt::f32, 1.0 / 3), dt::bf16)) == 0x3eab);
  CHECK(result_of<uint16_t>(cast(constant(dt::f32, 1.0 / 3), dt::f16)) == 0x3555);
}

TEST_CASE("interpret: floats are rounded to their dtype unless exact") {
  const UOp a = constant(dt::f32, 0x1p24), b = constant(dt::f32, 1.0), sum = a + b, back = sum - a;
  CHECK(result_of<float>(back) == 0);
  CHECK(result_of<float>(back, true) == 1);
  const UOp h = constant(dt::f16, 2048.0), h1 = constant(dt::f16, 1.0);
  CHECK(from_f16(result_of<uint16_t>(h + h1)) == 2048);
  const UOp e = constant(dt::f32, 1 + 0x1p-12), minus = constant(dt::f32, -(1 + 0x1p-11));
  CHECK(result_of<float>(alu(Op::Fma, e, e, minus)) == 0x1p-24f);
  CHECK(result_of<float>(alu(Op::Add, e * e, minus)) == 0);
  CHECK(std::isnan(result_of<float>(alu(Op::Max, constant(dt::f32, kNaN), b))));
  CHECK(std::isnan(result_of<float>(alu(Op::Max, b, constant(dt::f32, kNaN)))));
  CHECK(result_of<float>(alu(Op::Exp, b)) == std::exp(1.0f));
  CHECK(result_of<float>(alu(Op::Recip, constant(dt::f32, 4.0))) == 0.25f);
}

TEST_CASE("half: every f16 and bf16 survives a round trip, and rounding is to nearest even") {
  for (uint32_t b = 0; b < 0x10000; ++b) {
    const uint16_t bits = static_cast<uint16_t>(b);
    const bool nan16 = (b & 0x7fff) > 0x7c00, nanb = (b & 0x7fff) > 0x7f80;
    if (!nan16)
      REQUIRE(to_f16(from_f16(bits)) == bits);
    else
      REQUIRE(std::isnan(from_f16(to_f16(from_f16(bits)))));
    if (!nanb)
      REQUIRE(to_bf16(from_bf16(bits)) == bits);
    else
      REQUIRE(std::isnan(from_bf16(to_bf16(from_bf16(bits)))));
    if (nan16 || (b & 0x7fff) >= 0x7bff) continue;
    // half way to the next one goes to the even one, a little more to the next
    const float x = from_f16(bits), next = from_f16(static_cast<uint16_t>(b + 1)), middle = (x + next) / 2;
    REQUIRE(to_f16(middle) == ((b & 1) ? b + 1 : b));
    REQUIRE(to_f16(std::nextafter(middle, 2 * next)) == b + 1);
  }
  CHECK(to_f16(65519.996f) == 0x7bff);
  CHECK(to_f16(65520) == 0x7c00);
}

TEST_CASE("evaluate: integers, bindings, errors") {
  const UOp n = variable("n", 0, 100), r = range("i", n);
  CHECK(evaluate(ceildiv(n, 8) * iconst(2) + r, {{n, 17}, {r, 5}}) == 11);
  CHECK(evaluate(alu(Op::Lt, n, iconst(3)), {{n, 2}}) == 1);
  CHECK_THROWS_WITH_AS(evaluate(n + r, {{n, 1}}), doctest::Contains("no value is bound"), InternalError);
  CHECK_THROWS_WITH_AS(evaluate(idiv(n, r), {{n, 1}, {r, 0}}), doctest::Contains("division by zero"), InternalError);
  CHECK_THROWS_WITH_AS(evaluate(constant(dt::f32, 1.0)), doctest::Contains("not an integer"), InternalError);
  const UOp x = load(at(param(0, "x"), iconst(0)));
  const Number y = evaluate_number(x * x, [&](const UOp& u) { return u == x ? std::optional<Number>(1.5) : std::nullopt; });
  CHECK(std::get<double>(y) == 2.25);
}
