#pragma once
// The pass that leaves only ops a CPU's C compiler has: see its post-condition.
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

/// Works on statement trees and on expressions alike.
/// Post: no Exp, Log, Sin, Cos, Tanh, Erf, Recip remain; f16 and bf16 occur only in Load, Store, Cast, Bitcast, Const,
/// Broadcast, Stack, Shuffle, Where, Memory and what names them (Param, Index): their arithmetic is done in f32 and rounded
/// once per op.
UOp ops_legalized(const UOp& root, const Target& target);

}  // namespace pg
