#include "src/cli/cublas_arguments.h"

#include <doctest/doctest.h>

#include <vector>

using namespace pg;

namespace {

/// What cublasSgemm computes, by its manual: everything by columns.
void column_sgemm(const ColumnGemm& g, const float* a, const float* b, float* c) {
  const auto at = [](const float* p, int64_t ld, BlasOp op, int64_t i, int64_t j) {
    return op == BlasOp::None ? p[j * ld + i] : p[i * ld + j];
  };
  for (int64_t j = 0; j < g.n; ++j)
    for (int64_t i = 0; i < g.m; ++i) {
      float sum = 0;
      for (int64_t k = 0; k < g.k; ++k) sum += at(a, g.first_ld, g.first_op, i, k) * at(b, g.second_ld, g.second_op, k, j);
      c[j * g.result_ld + i] = sum;
    }
}
/// And cublasSgemv.
void column_sgemv(const ColumnGemv& g, const float* w, const float* x, float* y) {
  const int64_t outputs = g.op == BlasOp::None ? g.rows : g.columns, sums = g.op == BlasOp::None ? g.columns : g.rows;
  for (int64_t i = 0; i < outputs; ++i) {
    y[i] = 0;
    for (int64_t k = 0; k < sums; ++k) y[i] += (g.op == BlasOp::None ? w[k * g.ld + i] : w[i * g.ld + k]) * x[k];
  }
}
std::vector<float> numbers(int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i * 7 % 11) - 5;  // sums stay exact
  return v;
}

}  // namespace

TEST_CASE("cublas: a row-major product is the product by columns with its operands exchanged") {
  for (const auto& [m, n, k] : {std::tuple{5, 7, 3}, {1, 9, 4}, {8, 1, 6}, {3, 4, 1}, {6, 6, 6}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        CAPTURE(ta);
        CAPTURE(tb);
        const std::vector<float> a = numbers(m * k), b = numbers(k * n);
        std::vector<float> want(static_cast<size_t>(m * n)), got(want.size(), -1);
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j)
            for (int r = 0; r < k; ++r)
              want[static_cast<size_t>(i * n + j)] +=
                  a[static_cast<size_t>(ta ? r * m + i : i * k + r)] * b[static_cast<size_t>(tb ? j * k + r : r * n + j)];
        const ColumnGemm g = column_gemm({m, n, k, ta, tb});
        column_sgemm(g, b.data(), a.data(), got.data());
        CHECK(got == want);
        // As cublasLt is told: a matrix as it is stored, whose columns do not overlap.
        CHECK(g.first_rows() * g.first_columns() == k * n);
        CHECK(g.second_rows() * g.second_columns() == m * k);
        CHECK(g.first_rows() == g.first_ld);
        CHECK(g.second_rows() == g.second_ld);
      }
}

TEST_CASE("cublas: a row-major matrix times a vector") {
  for (const auto& [n, k] : {std::pair{5, 7}, {1, 4}, {6, 1}})
    for (const bool rows : {false, true}) {
      CAPTURE(rows);
      const std::vector<float> w = numbers(n * k), x = numbers(k);
      std::vector<float> want(static_cast<size_t>(n)), got(want.size(), -1);
      for (int i = 0; i < n; ++i)
        for (int r = 0; r < k; ++r)
          want[static_cast<size_t>(i)] += w[static_cast<size_t>(rows ? i * k + r : r * n + i)] * x[static_cast<size_t>(r)];
      column_sgemv(column_gemv(n, k, rows), w.data(), x.data(), got.data());
      CHECK(got == want);
    }
}
