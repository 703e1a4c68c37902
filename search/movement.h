#pragma once
// How an axis moves the addresses of a kernel.
#include "uops/uop.h"

namespace pg {

struct Movement {
  int contiguous = 0, fixed = 0, strided = 0;  // loads in the innermost body
  int scattered_stores = 0;
};
Movement movement(const UOp& kernel, const UOp& axis);

/// Flat element address of an access as an expression of the axes.
UOp flat_address(const UOp& index);

}  // namespace pg
