// What Clang makes of rendered programs is what the interpreter makes of them, bit for bit.
#include <doctest/doctest.h>

#include "runtime/shared_object.h"
#include "tests/renderers/sample_programs.h"
#include "tests/renderers/typed_programs.h"

using namespace pg;

namespace {

void compare(TestCpu& cpu, const std::vector<NamedProgram>& programs) {
  std::vector<Source> sources;
  for (const NamedProgram& p : programs) sources.push_back(cpu.device->render(p.linear));
  const std::vector<Artifact> artifacts = cpu.device->compile_all(sources);
  check_programs(programs, [&](size_t i, Buffers& buffers) {
    run_program(*cpu.device->load(artifacts[i], sources[i].launch), programs[i].linear, buffers);
    return "";
  });
}

std::vector<NamedProgram> all_cases() {
  std::vector<NamedProgram> cases;
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
  std::vector<NamedProgram> cases;
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
    std::vector<NamedProgram> cases;
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
