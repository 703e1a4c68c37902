#pragma once
// cuBLAS stores matrices by columns. A row-major matrix is the transpose of what cuBLAS takes the same bytes for, and of a
// product (A·B)ᵀ = Bᵀ·Aᵀ: the operands change places and nothing is moved.
#include "src/cli/peers.h"

namespace pg {

enum class BlasOp : int { None = 0, Transpose = 1 };  // cublasOperation_t

/// result[m,n] = op(first)[m,k] · op(second)[k,n], all by columns; row-major, first is B and second is A.
struct ColumnGemm {
  BlasOp first_op = BlasOp::None, second_op = BlasOp::None;
  int64_t m = 0, n = 0, k = 0;
  int64_t first_ld = 0, second_ld = 0, result_ld = 0;  // elements from column to column
  /// Rows and columns as they are stored, before the op.
  int64_t first_rows() const { return first_op == BlasOp::None ? m : k; }
  int64_t first_columns() const { return first_op == BlasOp::None ? k : m; }
  int64_t second_rows() const { return second_op == BlasOp::None ? k : n; }
  int64_t second_columns() const { return second_op == BlasOp::None ? n : k; }
};
ColumnGemm column_gemm(const GemmProblem&);

/// y = op(W)·x, W by columns with `rows` rows.
struct ColumnGemv {
  BlasOp op = BlasOp::None;
  int64_t rows = 0, columns = 0, ld = 0;
};
/// y[N] = W·x; W is [N,K] row-major when `rows`, else [K,N] and transposed.
ColumnGemv column_gemv(int64_t n, int64_t k, bool rows);

}  // namespace pg
