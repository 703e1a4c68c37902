#include "src/cli/selftest_kernels.h"

#include <string_view>

#include "search/tune.h"

namespace pg {

namespace {

#define SIMT_8X8                                                                                               \
  "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,64,local) tile(n,4,upcast) " \
  "tile(k,8,unroll) grid(m n) "
#define SIMT_4X4 "tile(m,32,local) tile(m,4,upcast) tile(n,32,local) tile(n,4,upcast) "
#define RING(n, banks) \
  "stage(A,k,layout=src+" banks ",stages=" n ",copy=cp.async) stage(B,k,layout=src+" banks ",stages=" n ",copy=cp.async)"
#define RING16(n, banks)                        \
  "stage(A,k:16,layout=src+" banks ",stages=" n \
  ",copy=cp.async) "                            \
  "stage(B,k:16,layout=src+" banks ",stages=" n ",copy=cp.async)"
#define RING_KV "stage(K,j,layout=src+pad,stages=2,copy=cp.async) stage(V,j,stages=2,copy=cp.async)"
constexpr SelftestKernel kKernels[] = {
    // products: plain copies, turned, rings of every length, every layout, sizes that nothing divides
    {"gemm", "256x256x64", "nn", SIMT_8X8 "stage(A,k,layout=1 0+pad,stages=2) stage(B,k,stages=2) bounds(2)"},
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
    {"gemm", "64x80x96", "tn", "default"},
    {"gemm", "130x70x50", "tt", "default"},
    {"gemm", "64x64x1", "nn", "default"},
    {"gemm", "1x257x300", "nt", "default"},
    {"gemm", "100x60x90", "nt", SIMT_4X4 "tile(k,8) grid(n m) stage(A,k,layout=1 0+pad) stage(B,k,layout=1 0+pad)"},
    {"gemm", "64x64x256", "nn", SIMT_4X4 "tile(k,64) tile(k,16) tile(k,4,unroll) grid(m n k) " RING16("2", "swizzle")},
    // reductions: lanes, warps, blocks, parts in a workspace
    {"gemv", "64x1024", "nt", "tile(k,1024,local) tile(k,4,vec) grid(n)"},
    {"gemv", "96x500", "nt", "tile(n,8,local) tile(n,2,upcast) tile(k,128,local) tile(k,4,vec) grid(n)"},
    {"gemv", "256x200", "nn", "tile(n,128,local) tile(n,4,vec) tile(k,64) tile(k,8,local) grid(n k)"},
    {"sum", "100000", "", "tile(r,8192) tile(r,1024,local) tile(r,4,vec) grid(r)"},
    {"sum", "1000", "", "default"},
    {"gemv", "65x999", "nt", "default"},
    // rows
    {"softmax", "16x1024", "", "tile(j,1024,local) tile(j,4,vec) grid(i) stage(E,i)"},
    {"softmax", "13x1000", "", "tile(j,512,upcast) tile(j,256,local) grid(i) stage(E,i)"},
    {"softmax", "50x77", "", "tile(i,4,local) tile(j,32,local) grid(i)"},
    {"layernorm", "8x2048", "", "tile(j,1024,local) tile(j,4,vec) grid(i) stage(X,i)"},
    {"layernorm", "9x300", "", "tile(j,128,local) grid(i)"},
    {"rmsnorm", "12x1024", "", "tile(j,512,local) tile(j,2,vec) grid(i)"},
    {"groupnorm", "32x16x16,8", "", "default"},
    {"softmax", "5x3000", "", "default"},
    {"groupnorm", "6x7x5,3", "", "default"},
    {"softmax", "300x256", "", "tile(i,8,local) tile(j,128,local) tile(j,4,vec) grid(i) stage(E,i) lanes(j)"},
    {"rmsnorm", "13x1024", "", "tile(i,4,local) tile(j,128,local) tile(j,4,vec) grid(i) lanes(j)"},
    {"gemv", "96x512", "nt", "tile(n,16,upcast) tile(n,8,local) tile(k,128,local) tile(k,4,unroll) grid(n) lanes(k)"},
    // attention in one pass: many rows, few rows, keys and values on their way while scores are computed
    {"attention", "2x100x24", "", "default"},
    {"attention", "3x8x64", "", "default"},
    {"attention", "2x130x64", "",
     "tile(S.i,32,local) tile(S.i,4,upcast) tile(M.i,8,local) tile(P.i,16,local) tile(L.i,8,local) tile(O.i,32,local) "
     "tile(O.i,4,upcast) tile(d,64,local) tile(d,4,vec) tile(S.j,32,upcast) tile(S.j,16,local) tile(M.j,32,local) "
     "tile(M.j,4,upcast) tile(P.j,32,local) tile(P.j,4,vec) tile(L.j,32,local) tile(L.j,4,upcast) online(j,32) "
     "tile(O.j,4,unroll) tile(e,4,unroll) grid(h i) stage(P,j) stage(Q,i) stage(S,j) lanes(M.j) lanes(L.j) " RING_KV},
    // windows, element by element, and where an index says
    {"conv2d", "16x20x24,24x3x3,p1", "nchw",
     "tile(o,16,local) tile(o,4,upcast) tile(x,32,local) tile(x,4,upcast) tile(c,4,unroll) grid(o y x) stage(W,c) "
     "stage(X,c)"},
    {"conv2d", "8x17x19,12x3x3,s2,p1", "nchw", "default"},
    {"conv1d", "20x100,16x3,p1", "", "default"},
    {"gelu", "10000", "", "tile(i,1024,local) tile(i,4,vec) grid(i)"},
    {"gelu", "777", "", "tile(i,128,local) grid(i)"},
    {"attention", "2x40x16", "", "default"},
    {"gelu", "4099", "", "default"},
    {"gather", "50x96,33", "", "default"},
    {"gather", "50x97,31", "", "tile(j,32,local) grid(i j)"},
};

}  // namespace

std::span<const SelftestKernel> selftest_kernels() { return kKernels; }

Opts selftest_opts(const SelftestKernel& k, const UOp& kernel, const Target& target) {
  return !target.gpu || std::string_view(k.opts) == "default" ? heuristic(kernel, target) : parse_opts(k.opts);
}

}  // namespace pg
