// The golden set: kernels as a GPU gets them, under schedules that use everything there is. NVRTC takes each for every
// architecture without a word and without spills; its text, run on the host, gives what the interpreter gives.
#include <doctest/doctest.h>

#include "renderers/cuda.h"
#include "runtime/config.h"
#include "runtime/cuda_resources.h"
#include "runtime/nvrtc.h"
#include "search/schedule.h"
#include "search/tune.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/selftest_kernels.h"
#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"
#include "tests/properties/kernel_runs.h"
#include "tests/renderers/cuda_host.h"
#include "uops/text.h"
#include "uops/together.h"

using namespace pg;
using namespace pg::test;

namespace {

Target gpu(int sm) {
  Target t;
  t.isa = "sm_" + std::to_string(sm) + (sm >= 90 ? "a" : ""), t.vector_bytes = 16;
  t.gpu = true, t.sm = sm, t.sms = 108;
  t.shared_block_bytes = (sm == 89 ? 99 : 163) << 10, t.shared_sm_bytes = (sm == 89 ? 100 : 164) << 10;
  return t;
}

UOp lowered(const SelftestKernel& g, const Target& target) {
  const BenchKernel k = bench_kernel(g.kind, g.shape, g.layout);
  const Opts opts = selftest_opts(g, k.ast, target);
  const Expected<Schedule> s = Schedule(k.ast, target).apply(opts);
  if (!s) throw UserError(std::string(g.kind) + " " + g.shape + ", " + text(opts) + ": " + s.reason());
  return lower(s->scheduled(), target);
}

Tensor input(Shape shape) {
  UOps extents;
  for (const Dim& d : shape) extents.push_back(d.uop());
  return Tensor(new_virtual_buffer(dt::f32, extents));
}

const Nvrtc* found_nvrtc() {
  static const FoundNvrtc found = Nvrtc::find({config().cuda_home, "", python_folders}, 0);
  if (!found.nvrtc) MESSAGE("skipped: " << found.missing);
  return found.nvrtc.get();
}
void check_compiles(const Nvrtc& nvrtc, const UOp& linear, const Target& target) {
  CAPTURE(target.isa);
  const Source source = render_cuda(linear, target);
  const std::string options[] = {"--gpu-architecture=" + target.isa, "--std=c++17", kCudaOptions[0], "--ptxas-options=-v"};
  const NvrtcResult result = nvrtc.compile(source.name, source.text, options);
  CHECK(result.log.find("warning") == std::string::npos);
  const std::vector<KernelResources> kernels = parse_resources(result.log);
  CHECK(!kernels.empty());
  for (const KernelResources& r : kernels) {
    CHECK(!r.spills());
    CHECK(r.stack_bytes == 0);
    CHECK(r.warnings.empty());
  }
}

}  // namespace

TEST_CASE("golden blocks: NVRTC takes each for every architecture, without spills") {
  const Nvrtc* nvrtc = found_nvrtc();
  if (!nvrtc) return;
  for (const int sm : {80, 89, 90, 100}) {
    const Target target = gpu(sm);
    for (const SelftestKernel& g : selftest_kernels()) {
      CAPTURE(target.isa);
      CAPTURE(std::string(g.kind) + " " + g.shape + " " + g.opts);
      check_compiles(*nvrtc, lowered(g, target), target);
    }
  }
}

TEST_CASE("golden blocks: a model's kernels of several reductions, by default, without spills") {
  const Nvrtc* nvrtc = found_nvrtc();
  if (!nvrtc) return;
  const Dim seen = Dim(variable("pos", 0, 2047)) + Dim(1);
  const auto cache = [&](int64_t heads, int64_t width) { return input({heads, 2048, width}).slice(1, 0, seen); };
  const Tensor token = input({1, 2048}), tokens = input({128, 2048}), norm = input({2048});
  const auto gated = [](const Tensor& x) {
    return x.matmul(input({5632, 2048}).transpose()).silu() * x.matmul(input({5632, 2048}).transpose());
  };
  const std::pair<const char*, Tensor> models[] = {
      {"decoding, 4 rows share their keys", Tensor::attention(input({32, 1, 64}), cache(8, 64), cache(8, 64))},
      {"decoding, wide heads", Tensor::attention(input({32, 1, 128}), cache(8, 128), cache(8, 128))},
      {"decoding, a row for each head", Tensor::attention(input({12, 1, 64}), cache(12, 64), cache(12, 64))},
      {"prefill, causal", Tensor::attention(input({32, 512, 64}), input({8, 512, 64}), input({8, 512, 64}), {}, 0, true)},
      {"prefill, wide heads", Tensor::attention(input({8, 512, 128}), input({8, 512, 128}), input({8, 512, 128}))},
      {"an image's, narrow heads", Tensor::attention(input({8, 4096, 40}), input({8, 77, 40}), input({8, 77, 40}))},
      {"an image's, the widest", Tensor::attention(input({8, 64, 160}), input({8, 64, 160}), input({8, 64, 160}))},
      {"softmax, short rows", input({4096, 512}).softmax()},
      {"softmax, a long row", input({4, 32000}).softmax()},
      {"rmsnorm of a token", token.rmsnorm(norm, 1e-5)},
      {"rmsnorm of tokens", tokens.rmsnorm(norm, 1e-5)},
      {"layernorm", input({128, 768}).layernorm(input({768}), input({768}), 1e-5)},
      {"a normalised token, gate and up", gated(token.rmsnorm(norm, 1e-5))}};
  for (const int sm : {80, 89, 90})
    for (const auto& [what, result] : models) {
      CAPTURE(std::string(what));
      const Target target = gpu(sm);
      const Plan plan = partition({result.uop()}, {.gpu = true});
      REQUIRE(plan.kernels.size() == 1);
      const UOp& ast = plan.kernels[0].ast;
      check_compiles(*nvrtc, lower(Schedule(ast, target).apply(heuristic(ast, target))->scheduled(), target), target);
    }
}

TEST_CASE("golden blocks: q, k and v as one launch, by default, without spills") {
  const Nvrtc* nvrtc = found_nvrtc();
  if (!nvrtc) return;
  const PlanOptions together{.gpu = true, .choose = [](const Alternative&) { return std::optional(true); }};
  for (const int sm : {80, 89, 90})
    for (const int64_t rows : {1, 7, 128}) {
      const Target target = gpu(sm);
      const Tensor x = input({rows, 2048});
      UOps roots;
      for (const int64_t columns : {2048, 256, 256}) roots.push_back(x.matmul(input({columns, 2048}).transpose()).uop());
      const Plan plan = partition(roots, together);
      REQUIRE(plan.kernels.size() == 1);
      const UOp& launch = plan.kernels[0].ast;
      UOps linears;
      std::vector<int64_t> items;
      for (const UOp& kernel : kernels_in(launch)) {
        linears.push_back(lower(Schedule(kernel, target).apply(heuristic(kernel, target))->scheduled(), target));
        items.push_back(*const_int(launch_info(linears.back()).items));
      }
      const JoinedPrograms program = joined(launch, linears, target);
      CAPTURE(rows);
      REQUIRE(program.why_not == "");
      CHECK(*const_int(launch_info(program.linear).items) == items[0] + items[1] + items[2]);
      CHECK(launch_info(program.linear).shared_bytes == launch_info(linears[0]).shared_bytes);  // one place for all
      check_compiles(*nvrtc, program.linear, target);
    }
}

TEST_CASE("golden blocks: the text, run on the host, gives what the interpreter gives") {
  const Target target = gpu(80);
  UOps linears;
  std::vector<const SelftestKernel*> which;
  for (const SelftestKernel& g : selftest_kernels()) linears.push_back(lowered(g, target)), which.push_back(&g);
  const CudaOnHost host(linears, target);
  if (!host.is_there()) return;
  for (size_t i = 0; i < linears.size(); ++i) {
    CAPTURE(std::string(which[i]->kind) + " " + which[i]->shape + " " + which[i]->opts);
    const BenchKernel k = bench_kernel(which[i]->kind, which[i]->shape, which[i]->layout);
    std::vector<Bytes> want = random_buffers(k.ast, {}, 3);
    for (const UOp& p : params_of(k.ast))
      if (p.dtype() == dt::i32) {  // ids: from 0 to 3
        Bytes& ids = want[static_cast<size_t>(p.arg_as<ParamArg>().slot)];
        for (size_t at = 0; at < ids.size(); ++at) ids[at] = at % 4 == 0 ? ids[at] & 3 : 0;
      }
    const std::vector<Bytes> start = want;
    run(linears[i], {}, want);
    std::vector<Bytes> serial = start;
    run(lower(Schedule(k.ast).scheduled(), Target{.isa = "ref"}), {}, serial, {.exact = true});
    CHECK(difference(dt::f32, want[0], serial[0], 1e-4) == "");
    for (const HostOrder& order : kHostOrders) {
      std::vector<Bytes> got = start;
      CHECK(host.run(i, got, {}, order) == "");
      CHECK(difference(dt::f32, got[0], want[0], 1e-6) == "");
    }
  }
}
