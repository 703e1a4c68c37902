#include "src/cli/cublas_arguments.h"

namespace pg {

ColumnGemm column_gemm(const GemmProblem& p) {
  ColumnGemm g;
  g.m = p.n, g.n = p.m, g.k = p.k;
  // B [K,N] by rows is Bᵀ [N,K] by columns, which is what is wanted; stored as [N,K] it has to be transposed. So has A.
  g.first_op = p.transpose_b ? BlasOp::Transpose : BlasOp::None;
  g.second_op = p.transpose_a ? BlasOp::Transpose : BlasOp::None;
  g.first_ld = p.transpose_b ? p.k : p.n;
  g.second_ld = p.transpose_a ? p.m : p.k;
  g.result_ld = p.n;
  return g;
}

ColumnGemv column_gemv(int64_t n, int64_t k, bool rows) {
  return rows ? ColumnGemv{BlasOp::Transpose, k, n, k} : ColumnGemv{BlasOp::None, n, k, n};
}

}  // namespace pg
