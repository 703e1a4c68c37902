// Threads of a block, shared memory, barriers, exchanges, copies: what kernels in CUDA C do with a stand-in for the GPU is
// what the interpreter says.
#include <doctest/doctest.h>

#include "tests/renderers/cuda_host.h"
#include "tests/renderers/thread_programs.h"
#include "uops/verify.h"
#include "uops/widen.h"

using namespace pg;

namespace {

struct Run {
  UOp linear;
  std::vector<int64_t> variables = {};
};

/// Every program, plain and widened, in every order of threads and copies.
void compare(const std::vector<Run>& runs) {
  UOps linears;
  for (const Run& r : runs) {
    verify(r.linear, Stage::Linear, "test");
    linears.push_back(r.linear);
    linears.push_back(accesses_widened(r.linear, kSm80));
    verify(linears.back(), Stage::Linear, "accesses_widened");
  }
  const CudaOnHost host(linears);
  if (!host.is_there()) return;
  for (size_t i = 0; i < linears.size(); ++i) {
    const Run& r = runs[i / 2];
    Buffers expected = random_buffers(r.linear, 5);
    const Buffers start = expected;
    run_reference(r.linear, expected, r.variables);
    for (const HostOrder& order : kHostOrders) {
      CAPTURE(r.linear.arg_as<std::string>());
      CAPTURE(order.late);
      CAPTURE(order.seed);
      Buffers got = start;
      CHECK(host.run(i, got, r.variables, order) == "");
      CHECK(difference(r.linear, expected, got) == "");
    }
  }
}

}  // namespace

TEST_CASE("CUDA: threads and shared memory") {
  std::vector<Run> runs{{axpy(), {0}},  {axpy(), {1000}},          {axpy(), {777}},          {reverse()},
                        {two_phases()}, {ring_matmul(32, 32, 24)}, {ring_matmul(20, 36, 20)}};
  for (DType t : {dt::f32, dt::i32, dt::i64, dt::u16, dt::i8}) runs.push_back({block_sums(t)});
  for (DType t : {dt::f32, dt::kBool, dt::i8, dt::u16, dt::u32, dt::u64, dt::f16, dt::bf16}) runs.push_back({exchange(t)});
  compare(runs);
}

TEST_CASE("CUDA: sums of a block are those of its elements") {
  const UOp linear = block_sums();
  const CudaOnHost host({linear});
  if (!host.is_there()) return;
  Buffers b{std::vector<unsigned char>(12), std::vector<unsigned char>(3 * 128 * 4)};
  for (size_t i = 0; i < 3 * 128; ++i) put(b[1], i, dt::f32, static_cast<double>(i));
  REQUIRE(host.run(0, b) == "");
  float got[3];
  std::memcpy(got, b[0].data(), sizeof got);
  for (int g = 0; g < 3; ++g) CHECK(got[g] == 128 * (128 * g) + 127 * 64);
}

TEST_CASE("CUDA: without a GPU it is seen when threads wait in vain, or look too early") {
  const auto build = [](auto fill) {
    LinearBuilder p;
    const UOp out = p.param("out", dt::f32, 64), in = p.param("in", dt::f32, 64);
    UOp tile;
    const Threads o(p, 1, 64, [&] { tile = p.memory("tile", dt::f32, 64); });
    fill(p, out, in, tile, o.thread);
    return p.finish("wrong");
  };
  const UOp parted = build([](LinearBuilder& p, const UOp& out, const UOp& in, const UOp&, const UOp& t) {
    p.open_if(alu(Op::Lt, t, iconst(32)));
    p.barrier();
    p.close();
    p.store(p.at(out, t), load(p.at(in, t)));
    p.barrier();
  });
  const auto copied = [&](bool waits, bool meets) {
    return build([=](LinearBuilder& p, const UOp& out, const UOp& in, const UOp& tile, const UOp& t) {
      p.copy(p.at(tile, t), p.at(in, t));
      p.commit();
      if (waits) p.wait(0);
      if (meets) p.barrier();
      p.store(p.at(out, t), p.again(load(p.at(tile, alu(Op::Xor, t, iconst(1))))));
    });
  };
  const CudaOnHost host({parted, copied(true, true), copied(false, true), copied(true, false)});
  if (!host.is_there()) return;
  Buffers in = random_buffers(parted, 3);
  const auto bits = [](const std::vector<unsigned char>& b, size_t i) {
    uint32_t u;
    std::memcpy(&u, b.data() + 4 * i, 4);
    return u;
  };
  const auto swapped = [&](size_t program, HostOrder order) {
    Buffers b = in;
    if (!host.run(program, b, {}, order).empty()) return false;
    for (size_t i = 0; i < 64; ++i)
      if (bits(b[0], i) != bits(in[1], i ^ 1)) return false;
    return true;
  };
  Buffers b = in;
  CHECK(host.run(0, b).find("different numbers of barriers") != std::string::npos);
  for (const HostOrder& order : kHostOrders) CHECK(swapped(1, order));
  CHECK(!swapped(2, {true, 0}));
  CHECK(!swapped(3, {false, 0}));
}

TEST_CASE("CUDA: what a GPU cannot do is said with the kernel") {
  const UOp linear = ring_matmul(16, 16, 8);
  Target old = kSm80;
  old.sm = 75;
  CHECK_THROWS_WITH_AS(render_cuda(linear, old), doctest::Contains("has no asynchronous copies"), InternalError);
  CHECK_THROWS_WITH_AS(render_cuda(linear, old), doctest::Contains("while rendering pg_ring_matmul"), InternalError);
  CHECK_THROWS_WITH_AS(render_c(linear), doctest::Contains("for a device without blocks"), InternalError);
  LinearBuilder p;
  const UOp out = p.param("out", dt::f32, 64);
  const UOp g = p.open(range("g", iconst(2), 0, Kind::Grid));
  p.store(p.at(out, g), constant(dt::f32, 1.0));
  const UOp t = p.open(range("t", iconst(32), 0, Kind::Local));
  p.store(p.at(out, t), constant(dt::f32, 1.0));
  CHECK_THROWS_WITH_AS(render_cuda(p.finish("all"), kSm80), doctest::Contains("Store outside of the threads"),
                       InternalError);
  LinearBuilder q;
  const UOp far = q.param("far", dt::f32, 1);
  q.store(q.at(far, iconst(0)), constant(dt::f32, 1.0));
  q.open(range("g", iconst(2), 0, Kind::Grid));
  CHECK_THROWS_WITH_AS(render_cuda(q.finish("before"), kSm80), doctest::Contains("outside of the grids"), InternalError);
}
