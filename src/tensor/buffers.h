#pragma once
#include "runtime/memory.h"
#include "uops/uop.h"

namespace pg {

/// Memory of Buffer UOps. Each new Buffer carries a number of its own; its memory hangs on the node (UOp::Note) and is let
/// go of when the last UOp that mentions the Buffer is gone.
UOp new_buffer(MemoryRef, DType, std::span<const UOp> extents);
/// A Buffer without memory yet (an intermediate of a plan).
UOp new_virtual_buffer(DType, std::span<const UOp> extents);
MemoryRef memory_of(const UOp& buffer);  // null: virtual
void set_memory(const UOp& buffer, MemoryRef);
/// A Buffer that nobody will write to again (realize.h), with memory or, for plans, without.
void freeze_buffer(const UOp& buffer);
bool is_frozen(const UOp& buffer);
/// Bytes of a Buffer (or Param): row-major, symbolic extents at their upper bounds. UserError when one has none.
int64_t capacity(const UOp& buffer);

}  // namespace pg
