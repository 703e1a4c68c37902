#pragma once
// The one place that decides which tensor nodes get memory. Everything else is computed where it is used.
//
// When a buffer is materialised (docs/architecture.md says it at more length):
//   1. A root, a Contiguous and an Assign own memory, whatever is fused. An Assign owns the Buffer that it writes into.
//   2. A reduction takes its elementwise consumers in, up to its head (epilogues.h), and the head is materialised: matmul +
//      bias + gelu is one kernel. One reduction claims a node: of silu(x·G) * (x·U) the other one is materialised first.
//   3. Unless it is a *row definition*: the head is read in one kernel only, at one index, which is made of the first output
//      axes of that kernel; and what the reduction runs over are the kernel's remaining axes. Then the kernel computes it
//      once a row, as a definition in front of its output: softmax and rmsnorm are one kernel each.
//      What the kernel's definitions share of elementwise nodes over rows is named too (definitions.h).
//   4. An elementwise node over row definitions that several kernels read is materialised instead of repeating the
//   reductions.
//   5. In the body of a kernel's own reduction, arithmetic on loaded values whose index lacks one of the kernel's output
//   axes
//      would be repeated along that axis (an operand of a matmul): it is materialised. Casts and selections are not, nor is
//      what is *decoded* from narrower elements (quantised weights): it is a definition of the kernel (definitions.h).
//   6. A node computed at more than kMaxPlaces different indices of one kernel is materialised.
//   7. The value of an Assign that reads the same Buffer elsewhere than where it writes is materialised first.
//   8. Rules 2 and 5 have an alternative: to compute the node *in place*, as a definition, in every kernel that reads it. It
//      is offered where that is possible, and taken where a rule says so or somebody has measured it (alternatives.h).
// All other elementwise nodes and all movement are inlined, and recomputed in every kernel that reads them.
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "src/graph/epilogues.h"
#include "src/graph/partition.h"
#include "uops/uop.h"

namespace pg {

/// An occurrence of a node inside a kernel: the node at an index.
struct Use {
  UOp node;
  int kernel = 0;
  UOps index;                // one per axis of the node
  UOp valid;                 // bool, null: always. Where false the value is not used and the index may lie outside
  bool in_body = false;      // inside the kernel's own reduction
  UOps around;               // axes of what it would be computed for again, in the body of a reduction
  bool loaded = false;       // read from memory: not computed in this kernel
  bool in_place = false;     // below an elementwise node that is computed in place
  UOp padding;               // of a Pad: where it is the source and not 0; null: everywhere
  UOp row;                   // of a Gather: the Variable that stands for the row number in its table's index
  std::vector<int> sources;  // uses of the node's sources
};

struct KernelSketch {
  UOp root;
  UOps ranges;            // output axes; extents of 1 have none
  UOps store_index;       // one per axis of the Buffer that is written
  UOp reduction;          // the reduction whose head the root is, null without one
  std::vector<UOp> rows;  // what bears a name: heads of row definitions, and nodes that are computed in place
  int use = -1;           // of the value that is stored: the root, or what is below its views; of an Assign its value
  bool shared = false;    // stored by rule 4
  std::unordered_map<UOp, UOps> reduce_ranges;  // of its own reduction, and of those that its definitions hold
  std::vector<UOps> inner;                      // axes that only definitions have, of one reduction or of several alike
};

/// An output axis of a kernel that is two ranges, so that a row of it is one of them: the groups of channels of a groupnorm.
struct AxisSplit {
  size_t axis = 0;  // of the value that the kernel computes
  int64_t by = 0;   // extent of the inner range
};

struct Sketches {
  std::vector<Use> uses;
  std::vector<KernelSketch> kernels;                     // users before sources
  std::unordered_map<UOp, int> kernel_of;                // materialised node → kernel
  std::unordered_map<UOp, UOp> reduction_of;             // head → reduction
  std::vector<std::pair<UOp, AxisSplit>> wanted_splits;  // root of a kernel, and what would make a row definition possible
  std::vector<Alternative> alternatives;                 // that were offered, users before sources
};

/// What the caller wants, and what is known only once the kernels have been sketched: partition sketches again until nothing
/// is added.
struct Decisions {
  const PlanOptions& options;
  std::unordered_set<UOp> in_place = {};      // nodes to compute where they are read (one_pass.h)
  std::unordered_set<UOp> stored = {};        // nodes to materialise beyond the rules (7)
  std::unordered_set<UOp> repeated = {};      // nodes that rule 4 named, but which turned out to hold no reduction
  std::unordered_map<UOp, AxisSplit> splits = {};  // by the root of a kernel
};

inline constexpr size_t kMaxPlaces = 8;
/// A definition without row axes is computed by every core: not worth it for long reductions.
inline constexpr int64_t kLongestWholeRow = 1 << 16;

/// The kernels that compute the graph's roots.
Sketches materialise(const TensorGraph&, const Decisions&);

/// The Buffer below a view or an Assign.
UOp written_buffer(UOp view);

}  // namespace pg
