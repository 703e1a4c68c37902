#pragma once
// Attention as partition makes it, Σ_j exp(s − M)·v / L: what its definitions, buffers and axes are called.
#include <optional>
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

struct AttentionParts {
  std::string output, scores, maximum, weights, total;
  std::string keys, values;           // buffers
  std::string queries;                // a buffer; empty: a definition
  std::string d, j, i;                // columns, keys, the rows that share keys (the most of them)
  std::vector<std::string> e;         // what scores are summed over; empty: they are read from memory
  std::vector<UOp> outer;             // the other axes of a row, those of the keys first
  std::vector<std::string> in_place;  // elementwise definitions beside the weights: rotated queries
  int64_t rows = 1, key_count = 0, columns = 0, depth = 1;
};
/// None where the kernel is anything else.
std::optional<AttentionParts> attention_parts(const UOp& kernel);

}  // namespace pg
