#pragma once
// Lowering: a Scheduled kernel becomes a Linear program, by passes of one function each. Read kPasses top to bottom.
#include <functional>
#include <span>

#include "uops/target.h"
#include "uops/uop.h"
#include "uops/verify.h"

namespace pg {

struct Pass {
  const char* name;  // its post-condition
  UOp (*run)(const UOp&, const Target&);
  Stage after;  // what the verifier checks then
};
/// The ordered list of passes.
std::span<const Pass> passes();

/// What a caller may look at between passes (DEBUG=5).
using PassObserver = std::function<void(const Pass&, const UOp&)>;

/// Scheduled → Linear. Pure and thread-safe. Errors name the kernel and the pass.
UOp lower(const UOp& scheduled, const Target& target, const PassObserver& observe = {});

/// Private memories larger than this lie in the launch's scratch memory, smaller ones on the stack.
inline constexpr int64_t kLargestOnStack = 16 << 10;  // bytes

/// What a launch of a Linear needs, read off the program itself.
struct LaunchInfo {
  std::string name;
  UOps params;      // Params by slot: the order of the buffer arguments
  UOps workspaces;  // Params of kWorkspaceSlot and up: memory that the items of one launch share, uninitialised
  UOps variables;   // Variables by name: the order of the integer arguments (int64)
  UOps phases;      // items of each grid, one after the other: all of one are done before the next begins
  /// Large private memories, and where each lies in the scratch memory that every thread of a launch has.
  std::vector<std::pair<UOp, int64_t>> scratch;
  int64_t scratch_bytes = 0;
  /// GPU: threads of a block, the Memories that they share and where each lies.
  int64_t threads = 1, blocks = 1;  // blocks that share a processor, at least
  std::vector<std::pair<UOp, int64_t>> shared;
  int64_t shared_bytes = 0;
  UOp items;  // of all phases, an index expression of the Variables: Const 1 without a grid. Ids run over [0, items)
};
LaunchInfo launch_info(const UOp& linear);

}  // namespace pg
