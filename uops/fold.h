#pragma once
#include "uops/uop.h"

namespace pg {

/// The constant that an elementwise node over constants has, by the definition in uops/values.h. Null when a source is no
/// constant, and where the result is a machine's business: transcendental functions, NaNs, Max and Min of zeros, division of
/// integers by zero, conversions out of range.
UOp folded(const UOp& node);

/// The scalar Const of a Const or of a Broadcast of one, else null.
const UOp* scalar_const(const UOp&);

}  // namespace pg
