#pragma once
#include "uops/uop.h"

namespace pg {

/// The constant that an elementwise node over constants has: integers exactly (wrapped to the type), f32 rounded once. Null when a
/// source is no constant, and where the result is a machine's business: transcendental functions, f16 and bf16 arithmetic,
/// division of integers by zero, conversions out of range, Max and Min of NaN.
UOp folded(const UOp& node);

/// The scalar Const of a Const or of a Broadcast of one, else null.
const UOp* scalar_const(const UOp&);

}  // namespace pg
