#pragma once
// The Linear program: what the renderers print and the interpreter executes.
//
//   Linear [name] ( entry, entry, .. )
//
// - Entries run in order. An entry that is a value (elementwise, Broadcast, Stack, Shuffle, Load) is evaluated with the
//   current values of its sources and (re)binds the node's value until the scope that it stands in closes. The same node may
//   stand in the list several times: a Load of an accumulator before and after its Store.
// - Const, Lanes, Variable, Param, Range and Index are never entries: they are used in place. Every other value is an entry
//   before its first use. An Index has one index (an entry or leaf, i64).
// - Memory is an entry where it comes to life: uninitialised at each execution, gone when its scope closes.
// - For (range) and If (condition: scalar bool) open a scope, End (that For or If) closes it. A For whose Range is of kind
// Grid
//   has no For round it; its trips are items of the launch, all of one Grid before the next. All other Ranges are of kind
//   Loop or, on a GPU, Local.
// - Addressing. Index(buffer, i) with dtype T: i counts elements of the buffer's dtype. Scalar i, T with lanes on a scalar
// buffer: a run
//   of contiguous elements (only element-aligned). i with lanes: gather / scatter, one element a lane. A Memory whose dtype
//   has lanes is an array of vector registers: i is scalar and T is that dtype.
// - A gate has as many lanes as the access; lanes with a false gate load 0 / store nothing and may have any index.
// - Threads of a block (GPU). A For whose Range is of kind Local stands directly inside the Grid's, at most one a grid: its
// trips
//   are the threads of a block, numbered so; 32 neighbours are a warp. A Memory that stands between the Grid's For and the
//   threads' is shared by the block, one inside is private to a thread. Barrier, CopyWait and LaneXor are reached by all
//   threads of the block (LaneXor: of the warp), in scopes whose conditions and trips are the same for all of them. What one
//   thread stores in shared memory another one may touch only behind a Barrier. A CopyAsync moves 4, 8 or 16 bytes, aligned
//   so, and lands between its own execution and the CopyWait of its thread that covers its group: before that nobody may
//   touch either place, and other threads not before a Barrier behind that.
// - StoreAll is gone: linearisation puts the values before the first Store.
// - After `ops_legalized` no Exp, Log, Sin, Cos, Tanh, Erf remain, and f16 / bf16 occur only in Load, Store, Cast, Bitcast,
// Const,
//   Broadcast, Stack, Shuffle and Where.
#include "uops/uop.h"

namespace pg {

/// Whether a node may stand as an entry that binds a value.
inline bool is_linear_value(const UOp& u) {
  if (info(u.op()).has(op_flag::Elementwise)) return true;
  return u.is(Op::Broadcast) || u.is(Op::Stack) || u.is(Op::Shuffle) || u.is(Op::Load) || u.is(Op::LaneXor);
}
/// Barrier, CopyAsync, CopyCommit, CopyWait.
inline bool is_block_statement(const UOp& u) {
  return u.is(Op::Barrier) || u.is(Op::CopyAsync) || u.is(Op::CopyCommit) || u.is(Op::CopyWait);
}

}  // namespace pg
