#pragma once
// exp, log, sin, cos, tanh and erf as programs of ops that every CPU has, without branches: they vectorise. The argument is
// f32 with any number of lanes. At most 2 ulp on every f32, subnormal results included; ±0, ±∞ and NaN as C's libm. Safe
// under contraction: wherever a rounding matters an Fma says so, and no step needs an unfused a*b + c.
// The largest errors, measured in compiled C on every f32 (exp, log) or every seventh (the others): exp and log 0.9 ulp,
// sin, cos and tanh 1.6, erf 1.2.
#include "uops/uop.h"

namespace pg {

UOp exp_f32(const UOp& x);
UOp log_f32(const UOp& x);
UOp sin_f32(const UOp& x);
UOp cos_f32(const UOp& x);
UOp tanh_f32(const UOp& x);
UOp erf_f32(const UOp& x);

}  // namespace pg
