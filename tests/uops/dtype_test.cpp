#include "uops/dtype.h"

#include <doctest/doctest.h>

#include <map>

using namespace pg;

namespace {
const DType kAll[] = {dt::kBool, dt::u8, dt::i8, dt::i16, dt::i32, dt::i64, dt::f16, dt::bf16, dt::f32};
// torch.result_type of two one-dimensional tensors, PyTorch 2: rows and columns in the order of kAll.
const char* const kPyTorch[9][9] = {
    {"bool", "u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f32"},   // bool
    {"u8", "u8", "i16", "i16", "i32", "i64", "f16", "bf16", "f32"},    // u8
    {"i8", "i16", "i8", "i16", "i32", "i64", "f16", "bf16", "f32"},    // i8
    {"i16", "i16", "i16", "i16", "i32", "i64", "f16", "bf16", "f32"},  // i16
    {"i32", "i32", "i32", "i32", "i32", "i64", "f16", "bf16", "f32"},  // i32
    {"i64", "i64", "i64", "i64", "i64", "i64", "f16", "bf16", "f32"},  // i64
    {"f16", "f16", "f16", "f16", "f16", "f16", "f16", "f32", "f32"},   // f16
    {"bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "f32", "bf16", "f32"},
    {"f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32"},
};
}  // namespace

TEST_CASE("promote: PyTorch's table") {
  for (int a = 0; a < 9; ++a)
    for (int b = 0; b < 9; ++b) {
      CAPTURE(text(kAll[a]));
      CAPTURE(text(kAll[b]));
      CHECK(text(promote(kAll[a], kAll[b])) == kPyTorch[a][b]);
      CHECK(promote(kAll[a].vec(4), kAll[b].vec(4)) == promote(kAll[a], kAll[b]).vec(4));
    }
}

TEST_CASE("promote: the wider unsigned types, which PyTorch leaves out") {
  CHECK(promote(dt::u16, dt::i16) == dt::i32);
  CHECK(promote(dt::u32, dt::i8) == dt::i64);
  CHECK(promote(dt::u32, dt::u16) == dt::u32);
  CHECK(promote(dt::u64, dt::i64) == dt::f32);
  CHECK(promote(dt::u64, dt::kBool) == dt::u64);
}

TEST_CASE("dtypes: text and sizes") {
  const std::map<std::string, int> bytes{{"void", 0}, {"bool", 1}, {"i8", 1},  {"u8", 1},  {"i16", 2},  {"u16", 2}, {"i32", 4},
                                         {"u32", 4},  {"i64", 8},  {"u64", 8}, {"f16", 2}, {"bf16", 2}, {"f32", 4}};
  for (const auto& [name, size] : bytes) {
    const auto t = parse_dtype(name);
    REQUIRE(t);
    CHECK(text(*t) == name);
    CHECK(t->element_bytes() == size);
    CHECK(parse_dtype(text(t->vec(16))) == t->vec(16));
    CHECK(t->vec(16).bytes() == 16 * size);
  }
  for (const char* wrong : {"", "f", "f64", "f32x", "f32x1", "f32x0", "f32x-4", "f32x99999", "f32 ", "x4"}) CHECK(!parse_dtype(wrong));
}
