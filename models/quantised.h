#pragma once
// Packed weights: matrices that stay in memory as a file has them and are decoded inside the kernels that read them.
// The block formats are ggml's (ggml-common.h, ggml-quants.c). A block is of neighbours in a row; d, m are f16:
//   Q8_0  32 numbers in  34 bytes: d, 32 int8 q;                                              q·d
//   Q4_0  32 numbers in  18 bytes: d, 16 bytes: low nibbles q of the first half, high of the second;   (q − 8)·d
//   Q4_K 256 numbers in 144 bytes: d, m, 12 bytes of 6-bit scales s and minima t for each 32 numbers, 128 bytes of
//        nibbles q (of each 64 numbers the low ones first);                                   q·s·d − t·m
//   Q6_K 256 numbers in 210 bytes: 128 bytes of low nibbles, 64 of two high bits: q; an int8 scale s for each 16 numbers, d;
//        (q − 32)·s·d
// Every product of these is exact or rounded once, in whatever order it is computed: decoding gives ggml's floats bit for
// bit.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/packing.h"
#include "runtime/memory.h"
#include "src/tensor/tensor.h"

namespace pg {

/// Looks at the bytes of one array as elements of a dtype: row-major, of this shape.
using ByteView = std::function<Tensor(DType, Shape)>;
/// The array as a lazy Tensor: of the 16-bit types as they are, of all others f32. Nothing is computed here, and no kernel
/// that reads it stores it (src/graph/materialise.h, rule 5).
Tensor decoded(const ByteView&, Packing, const std::vector<int64_t>& shape);
Tensor decoded(const MemoryRef&, Packing, const std::vector<int64_t>& shape);

/// Whole blocks of numbers as ggml's reference quantiser packs them. UserError for the types that are only read.
std::vector<std::byte> packed(std::span<const float>, Packing);

}  // namespace pg
