#pragma once
#include <optional>
#include <vector>

#include "search/schedule.h"

namespace pg {

/// How a block of rows (prefill), or the few rows that share their keys (decoding), may be laid out over threads.
struct AttentionBlock {
  int64_t rows = 64, keys = 32;  // of a block; rows 0: all that share their keys, each thread with all of them
  int64_t threads = 128;
  int64_t slots = 1;  // of keys and values in shared memory; more: a ring of copies that are on their way
  int64_t part = 0;   // few rows: keys that a block looks at, of which others look at the rest; 0: at all
};
/// Attention in one pass over the keys by a block of threads: scores and weights of one block of keys are in shared memory,
/// the sums over keys in registers. Null when the kernel is anything else, or the block does not fit.
std::optional<Schedule> attention_block(const UOp& kernel, const Target&, const AttentionBlock&);

/// The default one.
std::optional<Schedule> attention_block_heuristic(const UOp& kernel, const Target&);
/// All that are worth a try.
std::vector<AttentionBlock> attention_blocks(const UOp& kernel, const Target&);

}  // namespace pg
