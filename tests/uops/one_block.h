#pragma once
// Short programs of one block, and what all modes say of them.
#include <doctest/doctest.h>

#include <numeric>

#include "tests/uops/linear_builder.h"
#include "tests/uops/blocks.h"

namespace pg::test {

inline constexpr auto at = [](const UOp& buffer, const UOp& i, int lanes = 1) { return LinearBuilder::at(buffer, i, lanes); };

inline std::vector<float> counted(int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 1.0f);
  return v;
}
inline std::vector<unsigned char> noise(int64_t n) { return bytes_of(std::vector<float>(static_cast<size_t>(n), -77)); }

/// The errors of all modes; all must hold `part`. Returns the one of the first mode.
inline std::string error_of(const UOp& linear, const BlockBuffers& buffers, const std::string& part,
                            InterpretOptions options = {}) {
  std::string first;
  for (const BlockMode& mode : block_modes()) {
    const std::string error = run_block(linear, mode, buffers, {}, options).error;
    CAPTURE(mode.text());
    CAPTURE(error);
    CHECK((part.empty() ? error.empty() : error.find(part) != error.npos));
    if (first.empty()) first = error;
  }
  return first;
}

/// Blocks of `threads` threads over f32 `out` and `in`, with `shared` elements of shared memory.
struct OneBlock : LinearBuilder {
  UOp out = param("out", dt::f32), in = param("in", dt::f32), g, tile, t;
  explicit OneBlock(int64_t threads, int64_t shared = 64, int64_t blocks = 1) {
    for (const UOp& p : {out, in}) prefetch(at(p, iconst(0)));  // both are Params, used or not
    g = grid(blocks), tile = memory("tile", dt::f32, shared), t = LinearBuilder::threads(threads);
  }
};
inline const UOp kOne = constant(dt::f32, 1.0);

}  // namespace pg::test
