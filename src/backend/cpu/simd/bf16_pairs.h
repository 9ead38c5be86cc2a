// Dot products of bf16 pairs with f32 sums, in the vocabulary of simd/scalar.h.
//
// sum + a.odd * b.odd, rounded, then + a.even * b.even, rounded: the order of Intel's vdpbf16ps,
// which an ISA that has it uses (simd/avx512bf16.h). That instruction takes subnormal numbers as
// zero and other makers may join the two products differently, so results of ISAs with and without
// it agree closely, not bit for bit; all ISAs without it agree exactly.
#pragma once
#include <cstdint>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

template <class V>
struct Bf16Pairs {
  using F32x16 = typename V::F32x16;
  using I32x16 = typename V::I32x16;
  // One pair as the small side of a product, broadcast to all lanes: the dot product of two rows
  // unpacks it once rather than in every step.
  struct Pair {
    float even, odd;
  };
  struct Vector {
    F32x16 even, odd;
  };

  // 16 pairs of bf16, the even one first.
  QUERN_SIMD Vector load(const uint16_t* p) {
    const I32x16 bits = V::load_i32(reinterpret_cast<const int32_t*>(p));
    return {V::as_float(V::template shift_left<16>(bits)),
            V::as_float(V::bit_and(bits, V::fill_i32(static_cast<int32_t>(0xffff0000))))};
  }
  // 32 finite numbers, rounded to bf16, as 16 pairs.
  QUERN_SIMD void store(Pair* out, F32x16 low, F32x16 high) {
    V::store(&out[0].even, rounded(low));
    V::store(&out[8].even, rounded(high));
  }
  // The same, and adds what they were rounded to, in 16 parts, to `sum`. Which part a number goes
  // to depends on the ISA (another difference in the last bits between those with and without
  // bf16).
  QUERN_SIMD F32x16 store_and_add(Pair* out, F32x16 low, F32x16 high, F32x16 sum) {
    const F32x16 a = rounded(low), b = rounded(high);
    V::store(&out[0].even, a);
    V::store(&out[8].even, b);
    return V::add(V::add(sum, a), b);
  }
  QUERN_SIMD F32x16 dot(F32x16 sum, Vector a, const Pair& b) {
    return V::fma(a.even, V::fill(b.even), V::fma(a.odd, V::fill(b.odd), sum));
  }

 private:
  QUERN_SIMD F32x16 rounded(F32x16 v) {
    const I32x16 bits = V::as_int(v);
    const I32x16 even = V::bit_and(V::template shift_right<16>(bits), V::fill_i32(1));
    const I32x16 sum = V::add(V::add(bits, V::fill_i32(0x7fff)), even);
    return V::as_float(V::bit_and(sum, V::fill_i32(static_cast<int32_t>(0xffff0000))));
  }
};

}  // namespace quern::cpu
