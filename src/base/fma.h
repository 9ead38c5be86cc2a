// a * b + c, rounded once, on every machine.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace quern {

[[gnu::always_inline]] inline float fused_multiply_add(float a, float b, float c) {
#if defined(__wasm__)
  // There is no instruction, and fmaf of wasi-libc (2022) rounds twice where the sum is close to a
  // tie, as it cannot set the rounding mode of f64. The product is exact in f64. The sum is rounded
  // to odd, so that it is a tie only where the exact sum is one (Boldo and Melquiond,
  // "Emulation of FMA and correctly rounded sums", 2008).
  const double product = double{a} * b, sum = product + c, of_c = sum - product;
  const double lost = (product - (sum - of_c)) + (c - of_c);
  auto bits = std::bit_cast<int64_t>(sum);
  if (std::abs(lost) > 0) {  // infinities lose what is no number
    const bool away = (lost < 0) != (sum < 0);
    bits = (bits - (away ? 1 : 0)) | 1;
  }
  return static_cast<float>(std::bit_cast<double>(bits));
#else
  return __builtin_fmaf(a, b, c);
#endif
}

// The same in f64. The fma of wasi-libc computes on integers and rounds once.
[[gnu::always_inline]] inline double fused_multiply_add(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}

}  // namespace quern
