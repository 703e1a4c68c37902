#pragma once
#include "runtime/memory.h"
#include "uops/uop.h"

namespace pg {

/// Memory of Buffer UOps. A Buffer UOp carries a unique number; this table maps it to its memory and lets go of it when the
/// last UOp that mentions it is gone (`sweep`, called by realize).
UOp new_buffer(MemoryRef, DType, std::span<const UOp> extents);
/// A Buffer without memory yet (an intermediate of a plan).
UOp new_virtual_buffer(DType, std::span<const UOp> extents);
MemoryRef memory_of(const UOp& buffer);            // null: virtual
void set_memory(const UOp& buffer, MemoryRef);

}  // namespace pg
