// Elementary functions over the vector vocabulary.
#pragma once
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// e^x within 1 ulp or so where the result is a normal number; 0 below -104, infinity above 89.
// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to r^7; times 2^n in two steps, so
// that results below 2^-126 come out right too. NaN gives NaN.
template <class V>
QUERN_SIMD typename V::F32x16 exp(typename V::F32x16 x) {
  // min and max give their second operand for NaN.
  const auto bounded = V::max(V::fill(-105.0f), V::min(V::fill(89.0f), x));
  const auto n = V::to_float(V::round_to_int(V::mul(bounded, V::fill(0x1.715476p+0f))));
  auto r = V::fma(n, V::fill(-0x1.62e4p-1f), bounded);  // ln 2: 15 bits, exact products
  r = V::fma(n, V::fill(-0x1.7f7d1cp-20f), r);          // and the rest
  auto p = V::fill(1.0f / 5040);
  p = V::fma(p, r, V::fill(1.0f / 720));
  p = V::fma(p, r, V::fill(1.0f / 120));
  p = V::fma(p, r, V::fill(1.0f / 24));
  p = V::fma(p, r, V::fill(1.0f / 6));
  p = V::fma(p, r, V::fill(0.5f));
  p = V::fma(V::mul(p, r), r, r);
  p = V::add(p, V::fill(1.0f));
  const auto exponent = V::round_to_int(n);
  const auto half = V::template shift_right_signed<1>(exponent);
  const auto bias = V::fill_i32(127);
  const auto low = V::as_float(V::template shift_left<23>(V::add(half, bias)));
  const auto high = V::as_float(V::template shift_left<23>(V::add(V::sub(exponent, half), bias)));
  return V::mul(V::mul(p, low), high);
}

// x / (1 + e^-x)
template <class V>
QUERN_SIMD typename V::F32x16 silu(typename V::F32x16 x) {
  const auto e = exp<V>(V::sub(V::fill(0.0f), x));
  return V::div(x, V::add(V::fill(1.0f), e));
}

}  // namespace quern::cpu
