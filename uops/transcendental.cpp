// How the coefficients were made: a weighted minimax fit (Lawson's iteration on 1200 Chebyshev nodes, 40-digit reference
// values), rounded to f32 one by one from the lowest degree, the others fitted anew each time. Each table says its interval
// and the largest relative error of the function that it leaves with these rounded coefficients (2^-24 is half an ulp).
#include "uops/transcendental.h"

#include <initializer_list>
#include <limits>

namespace pg {

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ---- words -----------------------------------------------------------------------------------------------------------

UOp like(const UOp& x, double v) { return constant(x.dtype(), v); }
UOp like(const UOp& x, int64_t v) { return constant(x.dtype(), v); }
UOp fma(const UOp& a, const UOp& b, const UOp& c) { return alu(Op::Fma, a, b, c); }
UOp fma(const UOp& a, double b, const UOp& c) { return fma(a, like(a, b), c); }
UOp times(const UOp& a, double b) { return a * like(a, b); }
UOp plus(const UOp& a, int64_t b) { return a + like(a, b); }
UOp where(const UOp& condition, const UOp& a, const UOp& b) { return alu(Op::Where, condition, a, b); }
UOp less(const UOp& a, const UOp& b) { return alu(Op::Lt, a, b); }
UOp less(const UOp& a, double b) { return less(a, like(a, b)); }
UOp less(double a, const UOp& b) { return less(like(b, a), b); }
UOp bitwise(Op op, const UOp& a, int64_t b) { return alu(op, a, like(a, b)); }
UOp recast(const UOp& x, DType to) { return UOp(Op::Bitcast, to.vec(x.dtype().lanes), {}, {x}); }
UOp converted(const UOp& x, DType to) { return cast(x, to.vec(x.dtype().lanes)); }

/// c0 + c1 x + c2 x² + ..
UOp polynomial(const UOp& x, std::initializer_list<double> c) {
  auto it = c.end();
  UOp p = like(x, *--it);
  while (it != c.begin()) p = fma(p, x, like(x, *--it));
  return p;
}

constexpr int64_t kSignBit = 0x80000000, kMantissaBits = 23;
UOp magnitude(const UOp& x) { return recast(bitwise(Op::And, recast(x, dt::u32), kSignBit - 1), dt::f32); }
UOp sign_bit(const UOp& x) { return bitwise(Op::And, recast(x, dt::u32), kSignBit); }
UOp flipped(const UOp& x, const UOp& sign) { return recast(alu(Op::Xor, recast(x, dt::u32), sign), dt::f32); }

// ---- exp -------------------------------------------------------------------------------------------------------------

constexpr double kLog2E = 0x1.715476p+0;
// ln 2 as a sum of f32s: in an Fma n·high is exact, and so is the difference in which it cancels.
constexpr double kLn2[] = {0x1.62e43p-1, -0x1.05c61p-29};

struct Exponential {
  UOp mantissa;  // 0.7 .. 1.42
  UOp exponent;  // u32: n + `more`, where it is added to the bits of an f32
};
/// e^x = mantissa · 2^n for |x| ≤ 128.
Exponential exponential(const UOp& x, int64_t more = 0) {
  // Of so large a sum no fraction is left, and n + more stands in the lowest bits: neither is rounded or converted by itself.
  // (That n is read back from the bits makes it whole where f32s are evaluated in double precision, too.)
  const double large = 0x1.8p23 + static_cast<double>(more);
  const UOp sum = recast(fma(x, kLog2E, like(x, large)), dt::u32), n = recast(sum, dt::f32) - like(x, large);
  const UOp r = fma(n, -kLn2[1], fma(n, -kLn2[0], x));
  // (e^r − 1 − r) / r² on |r| ≤ ln 2 / 2: 3.1e-9 = 2^-28.3 of e^r
  const UOp q = polynomial(r, {0x1.fffffcp-2, 0x1.555492p-3, 0x1.5558aep-5, 0x1.123988p-7, 0x1.6a4f88p-10});
  return {fma(fma(q, r, like(r, 1.0)), r, like(r, 1.0)), bitwise(Op::Shl, sum, kMantissaBits)};
}
/// Where e^x is neither subnormal nor infinite: |x| ≤ 87. A NaN's is some number.
UOp moderate_exp(const UOp& x) {
  const auto [mantissa, exponent] = exponential(x);
  return recast(recast(mantissa, dt::u32) + exponent, dt::f32);
}

}  // namespace

UOp exp_f32(const UOp& x) {
  // Beyond these the result is 0 and ∞.
  constexpr double kLowest = -104, kHighest = 89;
  const UOp below = where(less(x, kHighest), x, like(x, kHighest));
  const auto [mantissa, exponent] = exponential(where(less(kLowest, below), below, like(x, kLowest)), -1);
  // Most of the exponent is added to the mantissa's bits, the rest is a factor: only the product overflows, or rounds to a
  // subnormal.
  constexpr double kFar = -62;
  const UOp far = less(x, kFar);
  const UOp bits = recast(mantissa, dt::u32) + where(far, plus(exponent, int64_t{33} << kMantissaBits), exponent);
  // A product that rounds to 0 costs a processor of Intel some 150 cycles: masked scores, exp(-∞), are multiplied by 0.
  // A NaN is such a factor too.
  const UOp none = where(less(x, 0.0), like(x, 0.0), x);
  return recast(bits, dt::f32) * where(less(kLowest, x), where(far, like(x, 0x1p-32), like(x, 2.0)), none);
}

// ---- log -------------------------------------------------------------------------------------------------------------

UOp log_f32(const UOp& x) {
  constexpr double kSmallestNormal = 0x1p-126;
  constexpr int64_t kSqrtHalf = 0x3f3504f3;  // the bits of √½
  const UOp subnormal = less(x, kSmallestNormal);
  const UOp bits = recast(where(subnormal, times(x, 0x1p23), x), dt::u32);
  // x = 2^e · (1 + f) with 1 + f in √½ .. √2
  const UOp exponent_bits = bitwise(Op::And, bits - like(bits, kSqrtHalf), 0xff800000);
  const UOp f = recast(bits - exponent_bits, dt::f32) - like(x, 1.0);
  const UOp e0 = converted(bitwise(Op::Shr, recast(exponent_bits, dt::i32), 23), dt::f32);
  const UOp e = where(subnormal, e0 - like(x, 23.0), e0);
  // (log(1+f) − f + f²/2) / f³ on √½−1 .. √2−1: 5.8e-9 = 2^-27.4 of log(1+f)
  const UOp q = polynomial(f, {0x1.555554p-2, -0x1.000226p-2, 0x1.99a01cp-3, -0x1.54728ap-3, 0x1.22d93p-3, -0x1.0d8246p-3,
                               0x1.055eaep-3, -0x1.38c974p-4});
  const UOp small = fma(f * f, fma(q, f, like(f, -0.5)), times(e, kLn2[1]));  // all that is small beside f and e·ln 2
  const UOp y = fma(e, kLn2[0], f + small);
  const UOp not_positive =
      where(alu(Op::Eq, x, like(x, 0.0)), like(x, -kInfinity), like(x, std::numeric_limits<double>::quiet_NaN()));
  return where(less(0.0, x), where(less(x, kInfinity), y, x), not_positive);
}

// ---- sin, cos --------------------------------------------------------------------------------------------------------

namespace {
constexpr double kTwoOverPi = 0x1.45f306p-1;
constexpr double kHalfPi[] = {0x1.921fb6p+0, -0x1.777a5cp-25, -0x1.ee59dap-50};

/// x = quadrant · π/2 + r + rest with |r| ≤ π/4 and a bit; rest is what r's rounding left. The quadrant is u32, modulo 4.
struct Reduced {
  UOp quadrant, r, rest;
};

/// Cody and Waite: 0 ≤ x < 2^17, quadrants below 2^17. The first product cancels exactly; of the constant 2^-74 is left.
Reduced reduced_moderate(const UOp& x) {
  const UOp k = alu(Op::Floor, fma(x, kTwoOverPi, like(x, 0.5)));
  const UOp first = fma(k, -kHalfPi[1], fma(k, -kHalfPi[0], x)), r = fma(k, -kHalfPi[2], first);
  const UOp rest = fma(k, -kHalfPi[2], first - r);  // exact: first and r are near each other
  return {recast(converted(k, dt::i32), dt::u32), r, rest};
}

/// Payne and Hanek: x ≥ 2^16. x = m · 2^(e−23) with a 24-bit m. The bits of 2/π whose products with x are multiples of 4
/// are left out; of the following 96 the product with m has, modulo 2^96, the quadrant in its two top bits and the
/// fraction of a quarter turn behind: 2^-70 is lost, and no f32 is nearer to a multiple of π/2 than 2^-31.
Reduced reduced_huge(const UOp& x) {
  // 9 zeros, then 2/π; the window of e = 16 begins at the first bit
  constexpr int64_t kBits[] = {0x00517cc1, 0xb727220a, 0x94fe13ab, 0xe8fa9a6e, 0xe06db14a, 0xcc9e21c8, 0x20ff28b1};
  constexpr int kFirstExponent = 127 + 16;
  const UOp bits = recast(x, dt::u32);
  const UOp m = bitwise(Op::Or, bitwise(Op::And, bits, 0x7fffff), 0x800000);
  const UOp start = bitwise(Op::Shr, bits, 23) - like(bits, int64_t{kFirstExponent});
  const auto chosen = [&](int64_t bit, const UOp& yes, const UOp& no) {
    return where(alu(Op::Ne, bitwise(Op::And, start, bit), like(start, int64_t{0})), yes, no);
  };
  UOp even[5], word[4];  // the four words from `start / 32`: skip two, then one
  for (int i = 0; i < 5; ++i) even[i] = chosen(64, like(bits, kBits[i + 2]), like(bits, kBits[i]));
  for (int i = 0; i < 4; ++i) word[i] = chosen(32, even[i + 1], even[i]);
  const UOp shift = bitwise(Op::And, start, 31), back = like(shift, int64_t{31}) - shift;
  const auto product = [&](int i) {  // m · the i-th 32 bits of the window
    const UOp next = alu(Op::Shr, bitwise(Op::Shr, word[i + 1], 1), back);
    return converted(alu(Op::Or, alu(Op::Shl, word[i], shift), next), dt::u64) * converted(m, dt::u64);
  };
  const UOp turns = bitwise(Op::Shl, product(0), 32) + product(1) + bitwise(Op::Shr, product(2), 32);
  const UOp rounded = turns + like(turns, int64_t{1} << 61);
  // What is behind the quadrant, as a signed fraction of π/2 in units of 2^-64
  const UOp fraction = converted(recast(bitwise(Op::Shl, turns, 2), dt::i64), dt::f32);
  constexpr double kHigh = 0x1p-64 * kHalfPi[0], kLow = 0x1p-64 * kHalfPi[1];
  const UOp r = fma(fraction, kHigh, times(fraction, kLow));
  const UOp rest = fma(fraction, kLow, fma(fraction, kHigh, alu(Op::Neg, r)));
  return {converted(bitwise(Op::Shr, rounded, 62), dt::u32), r, rest};
}

/// sin(|x| + shift·π/2), its sign bit flipped by `sign`.
UOp sine(const UOp& x, int64_t shift, const UOp& sign) {
  constexpr double kHuge = 0x1p17;
  const UOp a = magnitude(x), moderate = less(a, kHuge);
  const Reduced near = reduced_moderate(where(moderate, a, like(a, 0.0))), far = reduced_huge(a);
  const UOp r = where(moderate, near.r, far.r), rest = where(moderate, near.rest, far.rest);
  const UOp q = where(moderate, near.quadrant, far.quadrant);
  const UOp quadrant = shift ? plus(q, shift) : q;
  const UOp z = r * r;
  // (sin r − r) / r³ in r², |r| ≤ π/4: 4.0e-9 = 2^-27.9 of sin; (cos r − 1 + r²/2) / r⁴: 1.2e-10 of cos
  const UOp s = r + fma(polynomial(z, {-0x1.555546p-3, 0x1.110776p-7, -0x1.9952fep-13}), z * r, rest);
  const UOp c = fma(z, fma(polynomial(z, {0x1.55554ap-5, -0x1.6c0c28p-10, 0x1.99e80cp-16}), z, like(z, -0.5)), like(z, 1.0));
  const UOp odd = alu(Op::Ne, bitwise(Op::And, quadrant, 1), like(quadrant, int64_t{0}));
  const UOp lower_half = bitwise(Op::Shl, bitwise(Op::And, quadrant, 2), 30);
  const UOp y = flipped(where(odd, c, s), sign ? alu(Op::Xor, lower_half, sign) : lower_half);
  return where(less(a, kInfinity), y, a - a);  // ∞ − ∞ is a NaN
}
}  // namespace

UOp sin_f32(const UOp& x) { return sine(x, 0, sign_bit(x)); }
UOp cos_f32(const UOp& x) { return sine(x, 1, {}); }

// ---- tanh, erf -------------------------------------------------------------------------------------------------------

UOp tanh_f32(const UOp& x) {
  constexpr double kSmall = 0.55, kOne = 10;  // from 9.02 on it is 1
  const UOp a = magnitude(x), z = a * a;
  // (tanh a − a) / a³ in a²: 1.1e-9 = 2^-29.7 of tanh
  const UOp p = polynomial(z, {-0x1.55554ap-2, 0x1.110ceep-3, -0x1.b91e7ep-5, 0x1.58e518p-6, -0x1.9921a2p-8});
  const UOp small = fma(p, z * a, a);
  const UOp e = moderate_exp(times(where(less(a, kOne), a, like(a, kOne)), 2.0));
  const UOp big = like(a, 1.0) - alu(Op::Div, like(a, 2.0), e + like(a, 1.0));
  return flipped(where(less(kSmall, a), big, small), sign_bit(x));  // a NaN is not greater: it goes the small way
}

UOp erf_f32(const UOp& x) {
  constexpr double kSmall = 0.875, kOne = 4;  // from 3.92 on it is 1
  const UOp a = magnitude(x), z = a * a;
  // erf a / a − 1 in a², a ≤ 0.875: 1.4e-8 = 2^-26.1 of erf
  const UOp p =
      polynomial(z, {0x1.06eba6p-3, -0x1.8126ecp-2, 0x1.ce1b86p-4, -0x1.b69b8cp-6, 0x1.479beep-8, -0x1.3ba434p-11});
  const UOp small = fma(p, a, a);
  // −log(1 − erf a) / a, 0.875 ≤ a ≤ 4: 3.2e-9 = 2^-28.2 of erf
  const UOp t = where(less(a, kOne), a, like(a, kOne));
  const UOp q = polynomial(t, {0x1.20e70cp+0, 0x1.4577e6p-1, 0x1.af5bd4p-4, -0x1.778fc2p-6, 0x1.a6ba34p-9, -0x1.c35e8cp-13});
  const UOp big = like(a, 1.0) - moderate_exp(alu(Op::Neg, t * q));
  return flipped(where(less(kSmall, a), big, small), sign_bit(x));
}

}  // namespace pg
