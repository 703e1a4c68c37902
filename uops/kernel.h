#pragma once
// The kernel AST: what partition hands to the scheduler.
//
//   Kernel [name] ( Define [V] (value, ranges..), .., Output (Store(Index(Param, i..), value), ranges..) )
//
// - A definition is a virtual buffer `V[ranges] = epilogue(Reduce(bodies.., ranges))` with at most one Reduce; the last is
// the
//   Output, the only one that stores. A later definition reads an earlier one by Load(Index(Define, one index per range)).
// - Axes are Range nodes with tile 0 and kind Loop whose source is the extent (symbolic ones too). An axis may serve several
//   definitions (softmax: `j` is reduced in M and L and an output axis of the Output); within a definition its own ranges
//   and its Reduce's ranges are the only free ones. Axes of extent 1 do not appear (their index is 0). Names are unique in a
//   kernel.
// - Buffers are Params with multi-dimensional indices; slot 0 is the output. One Param per distinct buffer, also when it is
// both
//   read and written. Reading out of bounds is never meant: padding is a gate on the Load (0 where false).
// - Values are elementwise ops over Loads, Consts, and index expressions cast to a data type.
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// Params of this slot and up are no arguments of a kernel: they are memory that the items of one launch share.
inline constexpr int64_t kWorkspaceSlot = 1 << 20;

/// A definition taken apart.
struct Definition {
  UOp node;     // Define or Output
  UOp value;    // with the Reduce inside
  UOp store;    // Output: its Store; else null
  UOps ranges;  // output axes
  UOp reduce;   // the Reduce node, null when there is none
  UOps bodies;  // of the Reduce, one per state
  UOps reduce_ranges;
};
std::vector<Definition> definitions(const UOp& kernel);

/// Whether it only unpacks what memory holds in narrower elements, as a quantised weight does.
bool unpacks(const Definition&);

/// Whether partial results of its reduction may be kept in the output itself: nothing follows the reduction, nobody reads
/// the buffer, and every element is stored.
bool merges_in_output(const Definition&);

/// The nodes of an expression without the inside of the definitions that it reads.
UOps expression_nodes(const UOp& expression);

/// The ranges (nodes of Op::Range) that occur in an expression without looking into other definitions.
UOps free_ranges(const UOp& expression);

/// The Loads of earlier definitions in an expression (not those inside the definitions).
UOps definition_reads(const UOp& expression);

/// The kernel with its Defines that hold no Reduce inlined where they are read, but for those with these names.
UOp elementwise_inlined(const UOp& kernel, const std::vector<std::string>& kept = {});

/// Params by slot and Variables by name, anywhere below.
UOps params_of(const UOp& root);
UOps variables_of(const UOp& root);

/// "matmul_1024x1024x1024"-like name is the partition's business; this is the valid C identifier made from it.
std::string identifier(std::string_view name);

}  // namespace pg
