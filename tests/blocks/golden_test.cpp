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
#include "tests/properties/kernel_runs.h"
#include "tests/renderers/cuda_host.h"
#include "uops/text.h"

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

struct Golden {
  const char *kind, *shape, *layout, *opts;
};
#define SIMT_8X8                                                                                               \
  "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,64,local) tile(n,4,upcast) " \
  "tile(k,8,unroll) grid(m n) "
#define SIMT_4X4 "tile(m,32,local) tile(m,4,upcast) tile(n,32,local) tile(n,4,upcast) "
#define RING(n, banks) \
  "stage(A,k,layout=src+" banks ",stages=" n ",copy=cp.async) stage(B,k,layout=src+" banks ",stages=" n ",copy=cp.async)"
constexpr Golden kGolden[] = {
    // products: plain copies, turned, rings of every length, every layout, sizes that nothing divides
    {"gemm", "256x256x64", "nn", SIMT_8X8 "stage(A,k,layout=1 0+pad,stages=2) stage(B,k,stages=2)"},
    {"gemm", "200x136x72", "nn", SIMT_8X8 "stage(A,k,layout=1 0+pad,stages=2) stage(B,k,stages=2)"},
    {"gemm", "128x128x64", "nn", SIMT_8X8 "stage(A,k,layout=1 0+pad) stage(B,k)"},
    {"gemm", "77x65x33", "nn", SIMT_4X4 "tile(k,8,unroll) grid(m n) stage(A,k) stage(B,k)"},
    {"gemm", "64x64x64", "nn", SIMT_4X4 "tile(k,16) tile(k,4,unroll) grid(m n) " RING("1", "pad")},
    {"gemm", "64x96x128", "nn", SIMT_4X4 "tile(k,16) tile(k,4,unroll) grid(m n) " RING("2", "pad")},
    {"gemm", "64x96x128", "nt", SIMT_4X4 "tile(k,16) tile(k,4,unroll) grid(m n) " RING("3", "swizzle")},
    {"gemm", "96x64x160", "tn", SIMT_4X4 "tile(k,16) tile(k,4,unroll) grid(n m) " RING("4", "swizzle")},
    {"gemm", "60x100x84", "tt", SIMT_4X4 "tile(k,32) tile(k,4,unroll) grid(m n) " RING("3", "swizzle")},
    {"gemm", "64x64x200", "nn", SIMT_4X4 "tile(k,8) tile(k,4,unroll) grid(m n) " RING("6", "pad")},
    {"gemm", "33x47x513", "nn", SIMT_4X4 "tile(k,128) tile(k,8,unroll) grid(m n k)"},
    {"gemm", "48x64x256", "nn",
     "tile(m,16,local) tile(m,2,upcast) tile(n,64,local) tile(n,4,vec) tile(k,8,unroll) grid(m n) stage(A,k) stage(B,k)"},
    {"gemm", "16x64x512", "nn", "tile(m,4,upcast) tile(n,32,local) tile(k,64,local) tile(k,8,upcast) grid(m n)"},
    // reductions: lanes, warps, blocks, parts in a workspace
    {"gemv", "64x1024", "nt", "tile(k,1024,local) tile(k,4,vec) grid(n)"},
    {"gemv", "96x500", "nt", "tile(n,8,local) tile(n,2,upcast) tile(k,128,local) tile(k,4,vec) grid(n)"},
    {"gemv", "256x200", "nn", "tile(n,128,local) tile(n,4,vec) tile(k,64) tile(k,8,local) grid(n k)"},
    {"sum", "100000", "", "tile(r,8192) tile(r,1024,local) tile(r,4,vec) grid(r)"},
    // rows
    {"softmax", "16x1024", "", "tile(j,1024,local) tile(j,4,vec) grid(i) stage(E,i)"},
    {"softmax", "13x1000", "", "tile(j,512,upcast) tile(j,256,local) grid(i) stage(E,i)"},
    {"softmax", "50x77", "", "tile(i,4,local) tile(j,32,local) grid(i)"},
    {"layernorm", "8x2048", "", "tile(j,1024,local) tile(j,4,vec) grid(i) stage(X,i)"},
    {"layernorm", "9x300", "", "tile(j,128,local) grid(i)"},
    {"rmsnorm", "12x1024", "", "tile(j,512,local) tile(j,2,vec) grid(i)"},
    {"groupnorm", "32x16x16,8", "", "default"},
    // windows, element by element
    {"conv2d", "16x20x24,24x3x3,p1", "nchw",
     "tile(o,16,local) tile(o,4,upcast) tile(x,32,local) tile(x,4,upcast) tile(c,4,unroll) grid(o y x) stage(W,c) "
     "stage(X,c)"},
    {"conv2d", "8x17x19,12x3x3,s2,p1", "nchw", "default"},
    {"conv1d", "20x100,16x3,p1", "", "default"},
    {"gelu", "10000", "", "tile(i,1024,local) tile(i,4,vec) grid(i)"},
    {"gelu", "777", "", "tile(i,128,local) grid(i)"},
    {"attention", "2x40x16", "", "default"},
};

UOp lowered(const Golden& g, const Target& target) {
  const BenchKernel k = bench_kernel(g.kind, g.shape, g.layout);
  const Opts opts = std::string_view(g.opts) == "default" ? heuristic(k.ast, target) : parse_opts(g.opts);
  const Expected<Schedule> s = Schedule(k.ast, target).apply(opts);
  if (!s) throw UserError(std::string(g.kind) + " " + g.shape + ", " + text(opts) + ": " + s.reason());
  return lower(s->scheduled(), target);
}

}  // namespace

TEST_CASE("golden blocks: NVRTC takes each for every architecture, without spills") {
  const FoundNvrtc found = Nvrtc::find({config().cuda_home, "", python_folders}, 0);
  if (!found.nvrtc) {
    MESSAGE("skipped: " << found.missing);
    return;
  }
  for (const int sm : {80, 89, 90, 100}) {
    const Target target = gpu(sm);
    for (const Golden& g : kGolden) {
      CAPTURE(target.isa);
      CAPTURE(std::string(g.kind) + " " + g.shape + " " + g.opts);
      const Source source = render_cuda(lowered(g, target), target);
      const std::string options[] = {"--gpu-architecture=" + target.isa, "--std=c++17", kCudaOptions[0],
                                     "--ptxas-options=-v"};
      const NvrtcResult result = found.nvrtc->compile(source.name, source.text, options);
      CHECK(result.log.find("warning") == std::string::npos);
      for (const KernelResources& r : parse_resources(result.log)) {
        CHECK(!r.spills());
        CHECK(r.stack_bytes == 0);
        CHECK(r.warnings.empty());
      }
    }
  }
}

TEST_CASE("golden blocks: the text, run on the host, gives what the interpreter gives") {
  const Target target = gpu(80);
  UOps linears;
  std::vector<const Golden*> which;
  for (const Golden& g : kGolden) linears.push_back(lowered(g, target)), which.push_back(&g);
  const CudaOnHost host(linears, target);
  if (!host.is_there()) return;
  for (size_t i = 0; i < linears.size(); ++i) {
    CAPTURE(std::string(which[i]->kind) + " " + which[i]->shape + " " + which[i]->opts);
    const BenchKernel k = bench_kernel(which[i]->kind, which[i]->shape, which[i]->layout);
    std::vector<Bytes> want = random_buffers(k.ast, {}, 3);
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
