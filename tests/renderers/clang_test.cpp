// What Clang makes of rendered programs is what the interpreter makes of them, bit for bit.
#include <doctest/doctest.h>

#include "runtime/shared_object.h"
#include "tests/renderers/sample_programs.h"

using namespace pg;

namespace {

constexpr DType kNumbers[] = {dt::i8,  dt::u8,  dt::i16, dt::u16,  dt::i32, dt::u32,
                              dt::i64, dt::u64, dt::f16, dt::bf16, dt::f32};
constexpr int kTrips = 3;

std::string message(const std::string& what, DType t) { return what + " of " + text(t); }

/// One program a type: every op on loads of a, b, c, each into a buffer of its own.
UOp ops_on(DType t) {
  LinearBuilder p;
  const int64_t n = kTrips * t.lanes;
  std::vector<std::pair<std::string, UOp>> results;
  const UOp r = range("i", iconst(kTrips));
  const UOp i = r * iconst(t.lanes);
  const auto input = [&](const char* name, DType of) { return load(p.at(p.param(name, of.element(), n), i, of)); };
  const UOp a = input("a", t), b = input("b", t), c = input("c", t), q = input("q", dt::kBool.vec(t.lanes));
  const bool narrow = t.element() == dt::f16 || t.element() == dt::bf16;  // only moved about
  const auto add = [&](Op op, UOp v) { results.emplace_back(info(op).name, std::move(v)); };
  add(Op::Where, alu(Op::Where, q, a, b));
  add(Op::Cast, cast(a, (t.element() == dt::i32 ? dt::i64 : dt::i32).vec(t.lanes)));
  if (!narrow) {
    for (Op op : {Op::Add, Op::Sub, Op::Mul, Op::Max, Op::Min, Op::Lt, Op::Eq, Op::Ne}) add(op, alu(op, a, b));
    add(Op::Neg, alu(Op::Neg, a));
    add(Op::Max, alu(Op::Max, a, constant(t, int64_t{3})));
  }
  if (t.is_float() && !narrow) {
    for (Op op : {Op::Sqrt, Op::Floor}) add(op, alu(op, a));
    add(Op::Div, alu(Op::Div, a, b));  // by zero too: infinities and NaNs
    add(Op::Fma, alu(Op::Fma, a, b, c));
    const UOp nan = alu(Op::Div, alu(Op::Sub, a, a), alu(Op::Sub, b, b));
    add(Op::Max, alu(Op::Max, nan, b));
    add(Op::Min, alu(Op::Min, a, nan));
    add(Op::Bitcast, UOp(Op::Bitcast, dt::u32.vec(t.lanes), {}, {a}));
  }
  if (t.is_int()) {
    for (Op op : {Op::And, Op::Or, Op::Xor}) add(op, alu(op, a, b));
    add(Op::Not, alu(Op::Not, a));
    const UOp divisor = alu(Op::Add, alu(Op::Max, b, constant(t, int64_t{-7})), constant(t, int64_t{8}));  // at least 1
    const UOp d = t.is_unsigned() ? alu(Op::Or, b, constant(t, int64_t{1})) : divisor;
    for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, d));
    if (!t.is_unsigned())
      for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, alu(Op::Neg, d)));
    for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, constant(t, int64_t{8})));
    for (Op op : {Op::Shl, Op::Shr}) add(op, alu(op, a, alu(Op::And, b, constant(t, int64_t{7}))));
    if (t.element() == dt::i32) add(Op::Bitcast, UOp(Op::Bitcast, dt::f32.vec(t.lanes), {}, {a}));
  }
  p.open(r);
  for (auto& [name, v] : results) {
    const UOp out = p.param("out_" + name, v.dtype().element(), n);
    p.store(p.at(out, i, v.dtype()), v);
  }
  return p.finish("ops on " + text(t));
}

UOp logic_on(int lanes) {
  LinearBuilder p;
  const DType t = dt::kBool.vec(lanes);
  const UOp r = range("i", iconst(4));
  const UOp i = r * iconst(lanes);
  const UOp a = load(p.at(p.param("a", dt::kBool, 4 * lanes), i, t)),
            b = load(p.at(p.param("b", dt::kBool, 4 * lanes), i, t));
  UOps values = {alu(Op::Not, a), alu(Op::Where, a, b, alu(Op::Not, b)), cast(a, dt::f32.vec(lanes)),
                 cast(a, dt::i8.vec(lanes)), cast(cast(a, dt::i64.vec(lanes)), t)};
  for (Op op : {Op::And, Op::Or, Op::Xor, Op::Eq, Op::Ne, Op::Lt, Op::Max, Op::Min, Op::Add, Op::Mul})
    values.push_back(alu(op, a, b));
  p.open(r);
  for (const UOp& v : values) p.store(p.at(p.param("out", v.dtype().element(), 4 * lanes), i, v.dtype()), v);
  return p.finish("logic on " + text(t));
}

UOp casts_from(DType t) {
  LinearBuilder p;
  const UOp r = range("i", iconst(kTrips));
  const UOp i = r * iconst(t.lanes);
  const UOp x = load(p.at(p.param("x", t.element(), kTrips * t.lanes), i, t));
  p.open(r);
  const auto out = [&](const UOp& v) {
    p.store(p.at(p.param("out_" + text(v.dtype()), v.dtype().element(), kTrips * t.lanes), i, v.dtype()), v);
  };
  for (DType to : kNumbers) {
    // A negative float has no u64; the interpreter and the hardware each have an opinion.
    const bool no_negative = t.is_float() && to == dt::u64;
    const UOp wide = cast(x, dt::f32.vec(t.lanes));
    out(no_negative ? cast(alu(Op::Max, wide, constant(wide.dtype(), 0.0)), to.vec(t.lanes)) : cast(x, to.vec(t.lanes)));
  }
  out(cast(x, dt::kBool.vec(t.lanes)));
  return p.finish("casts from " + text(t));
}

/// Everything that an access can be: masked, gathered, scattered, on buffers and on private arrays.
UOp accesses_of(DType t) {
  LinearBuilder p;
  const int n = t.lanes;
  const DType element = t.element(), mask = dt::kBool.vec(n), index = dt::index.vec(n);
  const UOp r = range("i", iconst(4));
  const UOp in = p.param("in", element, 6 * n + 8), order = p.param("order", dt::i64, 4 * n),
            keep = p.param("keep", dt::kBool, 4 * n);
  const UOp masked = p.param("masked", element, 4 * n), gathered = p.param("gathered", element, 4 * n),
            some = p.param("some", element, 4 * n), scattered = p.param("scattered", element, 8 * n),
            turned = p.param("turned", element, 4 * n), swapped = p.param("swapped", element, 4 * n);
  p.open(r);
  const UOp i = r * iconst(n);
  const UOp m = load(p.at(keep, i, mask)), where = load(p.at(order, i, index));
  // Unaligned, and partly before the buffer where the gate is false.
  const UOp inside = alu(Op::Lt, broadcast(iconst(-1), n), broadcast(i + iconst(-3), n) + p.lanes(n));
  const UOp x = load(p.at(in, i + iconst(-3), t), alu(Op::And, m, inside));
  p.store(p.at(masked, i, t), x, m);
  const UOp spot = alu(Op::Mod, where, broadcast(iconst(4), n));
  p.store(p.at(gathered, i, t), load(p.at(in, spot, t)));
  const UOp wild = alu(Op::Where, m, spot, broadcast(iconst(1 << 30), n));  // nowhere where the gate is false
  p.store(p.at(some, i, t), load(p.at(in, wild, t), m));
  const UOp lane_of = broadcast(i, n) + p.lanes(n);
  p.store(p.at(scattered, lane_of * broadcast(iconst(2), n), t), x);
  p.store(p.at(scattered,
               alu(Op::Where, m, lane_of * broadcast(iconst(2), n) + broadcast(iconst(1), n), broadcast(iconst(-9), n)), t),
          x, m);
  // A private array, written element by element, read as a vector at an odd place.
  const UOp tile = p.memory("tile", element, 2 * n + 1);
  const UOp j = p.open(range("j", iconst(2 * n + 1)));
  p.store(p.at(tile, j), load(p.at(in, i + j)));
  p.close();
  const UOp from_tile = load(p.at(tile, iconst(1), t));
  p.value(from_tile);
  Ints reversed;
  for (int l = n - 1; l >= 0; --l) reversed.push_back(l);
  p.store(p.at(turned, i, t), n == 1 ? from_tile : UOp(Op::Shuffle, t, reversed, {from_tile}));
  // An array of vector registers behind a run-time index, and named ones.
  const UOp registers = p.memory("acc", t, 2), named = p.memory("named", t, 3);
  for (int k = 0; k < 2; ++k) p.store(p.at(registers, iconst(k), t), k ? from_tile : x);
  const UOp turn = load(p.at(registers, alu(Op::Mod, r, iconst(2)), t));
  p.store(p.at(named, iconst(0), t), turn);
  p.store(p.at(named, iconst(2), t), from_tile);
  if (n > 1 && !t.is_bool()) p.store(p.at(named, iconst(2), t), load(p.at(named, iconst(0), t), m), alu(Op::Not, m));
  p.store(p.at(swapped, i, t), p.again(load(p.at(named, iconst(2), t))));
  return p.finish("accesses of " + text(t));
}

struct Case {
  UOp linear;
  std::string name;
};
void compare(TestCpu& cpu, const std::vector<Case>& cases) {
  std::vector<Source> sources;
  for (const Case& c : cases) sources.push_back(cpu.device->render(c.linear));
  const std::vector<Artifact> artifacts = cpu.device->compile_all(sources);
  for (size_t i = 0; i < cases.size(); ++i)
    for (unsigned seed : {1u, 2u}) {
      CAPTURE(cases[i].name);
      CAPTURE(seed);
      Buffers expected = random_buffers(cases[i].linear, seed);
      const auto& params = sources[i].launch.params;
      for (size_t b = 0; b < params.size(); ++b)  // indices into buffers stay inside
        if (params[b].arg_as<ParamArg>().name == "order")
          for (size_t k = 0; k < expected[b].size() / 8; ++k) put(expected[b], k, dt::i64, static_cast<double>(k % 7));
      Buffers got = expected;
      run_reference(cases[i].linear, expected);
      run_program(*cpu.device->load(artifacts[i], sources[i].launch), cases[i].linear, got);
      CHECK(difference(cases[i].linear, expected, got) == "");
    }
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (int lanes : {1, 8, 16}) {
    for (DType t : kNumbers) cases.push_back({ops_on(t.vec(lanes)), message("ops", t.vec(lanes))});
    cases.push_back({logic_on(lanes), "logic " + std::to_string(lanes)});
  }
  for (DType t : {dt::f32.vec(3), dt::f32.vec(32), dt::i64.vec(2), dt::i8.vec(64), dt::i32.vec(5)})
    cases.push_back({ops_on(t), message("ops", t)});
  return cases;
}

}  // namespace

TEST_CASE("every op on every type, scalars and vectors") {
  TestCpu cpu;
  compare(cpu, all_cases());
}

TEST_CASE("every cast") {
  TestCpu cpu;
  std::vector<Case> cases;
  for (int lanes : {1, 4, 16})
    for (DType t : kNumbers) cases.push_back({casts_from(t.vec(lanes)), message("casts", t.vec(lanes))});
  compare(cpu, cases);
}

TEST_CASE("16-bit floats round to nearest, ties to even, whatever the bits") {
  for (int lanes : {1, 16}) {
    constexpr int kCount = 1 << 16;
    LinearBuilder p;
    const UOp in = p.param("in", dt::f32, kCount), bf16 = p.param("bf16", dt::bf16, kCount),
              f16 = p.param("f16", dt::f16, kCount);
    const UOp i = p.open(range("i", iconst(kCount / lanes))) * iconst(lanes);
    const UOp x = load(p.at(in, i, dt::f32.vec(lanes)));
    p.store(p.at(bf16, i, dt::bf16.vec(lanes)), cast(x, dt::bf16.vec(lanes)));
    p.store(p.at(f16, i, dt::f16.vec(lanes)), cast(x, dt::f16.vec(lanes)));
    const UOp linear = p.finish("round");
    Buffers expected = random_buffers(linear, 1);
    std::mt19937 random(5);
    for (uint32_t k = 0; k < kCount; ++k) {
      // Any bits; ties of either type; around the range of f16.
      const uint32_t any = random(), exponent = (100 + any % 50) << 23;
      const uint32_t bits = k % 4 == 0   ? any
                            : k % 4 == 1 ? (any & 0xffff8000)
                            : k % 4 == 2 ? (any & 0x807ff000) | exponent
                                         : (any & 0x807fffff) | exponent;
      std::memcpy(expected[0].data() + 4 * k, &bits, 4);
    }
    Buffers got = expected;
    run_reference(linear, expected);
    TestCpu cpu;
    run_program(*cpu.load(linear), linear, got);
    CHECK(difference(linear, expected, got) == "");
  }
}

TEST_CASE("every kind of access") {
  for (const char* isa : {"native", "x86-64-v3"}) {
    CAPTURE(isa);
    TestCpu cpu(isa);
    std::vector<Case> cases;
    for (DType t : {dt::f32, dt::i8, dt::i64, dt::f16, dt::bf16, dt::kBool})
      for (int lanes : {2, 3, 4, 8, 16, 32}) cases.push_back({accesses_of(t.vec(lanes)), message("accesses", t.vec(lanes))});
    compare(cpu, cases);
  }
}

TEST_CASE("a matmul with a masked tail, its items run in any split") {
  TestCpu cpu("native", 2);
  for (int64_t n : {32, 77}) {
    const UOp linear = matmul(6, n, 9);
    Buffers expected = random_buffers(linear, 5), got = expected, parts = expected;
    run_reference(linear, expected);
    const auto program = cpu.load(linear);
    run_program(*program, linear, got);
    CHECK(difference(linear, expected, got) == "");
    const Source source = cpu.device->render(linear);
    const Artifact artifact = cpu.device->compile(source);
    const SharedObject code(artifact.bytes);
    const auto run = reinterpret_cast<void (*)(void* const*, const long*, void*, long, long)>(code.symbol(artifact.name));
    void* pointers[] = {parts[0].data(), parts[1].data(), parts[2].data()};
    for (auto [begin, end] : {std::pair{2, 3}, {0, 0}, {1, 2}, {0, 1}}) run(pointers, nullptr, nullptr, begin, end);
    CHECK(difference(linear, expected, parts) == "");
  }
}

TEST_CASE("loops over Variables, conditions, accumulators") {
  TestCpu cpu;
  const UOp linear = prefix_sums();
  const auto program = cpu.load(linear);
  for (int64_t count : {0, 1, 2, 17, 64})
    for (int64_t step : {1, 3, 4}) {
      CAPTURE(count);
      CAPTURE(step);
      Buffers expected = random_buffers(linear, 3), got = expected;
      run_reference(linear, expected, {count, step});
      run_program(*program, linear, got, {count, step});
      CHECK(difference(linear, expected, got) == "");
    }
}

TEST_CASE("what cannot be rendered is said with its kernel") {
  LinearBuilder p;
  const UOp out = p.param("out", dt::f32, 1), in = p.param("in", dt::f32, 1);
  p.store(p.at(out, iconst(0)), alu(Op::Exp, load(p.at(in, iconst(0)))));
  const UOp linear = p.finish("unlawful");
  CHECK_THROWS_WITH_AS(render_c(linear), doctest::Contains("Exp has no C form"), InternalError);
  CHECK_THROWS_WITH_AS(render_c(linear), doctest::Contains("while rendering unlawful"), InternalError);
  const UOp unbound(Op::Linear, dt::kVoid, std::string("unbound"), {store(p.at(out, iconst(0)), load(p.at(in, iconst(0))))});
  CHECK_THROWS_WITH_AS(render_c(unbound), doctest::Contains("a Load is used before its entry"), InternalError);
}

TEST_CASE("awkward names: keywords, the same name twice, no letters at all") {
  LinearBuilder p;
  const UOp out = p.param("for", dt::f32, 8), a = p.param("x", dt::f32, 8), b = p.param("x", dt::f32, 8);
  const UOp n = variable("while", 0, 8);
  const UOp i = p.open(range("end", n));
  p.store(p.at(out, i), alu(Op::Sub, load(p.at(a, i)), load(p.at(b, i))));
  const UOp linear = p.finish("memset");
  TestCpu cpu;
  Buffers expected = random_buffers(linear, 3), got = expected;
  run_reference(linear, expected, {8});
  run_program(*cpu.load(linear), linear, got, {8});
  CHECK(difference(linear, expected, got) == "");
  LinearBuilder q;
  q.store(q.at(q.param("1", dt::f32, 1), iconst(0)), constant(dt::f32, 1.0));
  CHECK_NOTHROW(cpu.load(q.finish("3 x 3")));
}

TEST_CASE("private memory larger than a stack") {
  LinearBuilder p;
  constexpr int64_t kElements = 16 << 20;
  const UOp out = p.param("out", dt::f32, 8), in = p.param("in", dt::f32, 8);
  const UOp item = p.open(range("g", iconst(8), 0, Kind::Grid));
  const UOp tile = p.memory("tile", dt::f32, kElements);
  const UOp far = item * iconst(kElements / 8) + iconst(1000);
  p.store(p.at(tile, far), load(p.at(in, item)));
  p.store(p.at(out, item), p.again(load(p.at(tile, far))));
  const UOp linear = p.finish("large tile");
  TestCpu cpu("native", 2);
  Buffers buffers = random_buffers(linear, 3);
  run_program(*cpu.load(linear), linear, buffers);
  CHECK(buffers[0] == buffers[1]);
}
