// AVX-512 with the int8 and the bf16 dot product.
#pragma once
#include "backend/cpu/simd/avx512vnni.h"
#include "backend/cpu/simd/bf16_pairs.h"

namespace quern::cpu {

struct Avx512Bf16 : Avx512Vnni {};

template <>
struct Bf16Pairs<Avx512Bf16> {
  using F32x16 = __m512;
  using Pair = uint32_t;  // the even one in the low half
  using Vector = __m512i;

  QUERN_SIMD Vector load(const uint16_t* p) { return _mm512_loadu_si512(p); }
  QUERN_SIMD void store(Pair* out, F32x16 low, F32x16 high) {
    put(out, _mm512_cvtne2ps_pbh(high, low));
  }
  QUERN_SIMD F32x16 store_and_add(Pair* out, F32x16 low, F32x16 high, F32x16 sum) {
    const __m512bh pairs = _mm512_cvtne2ps_pbh(high, low);
    put(out, pairs);
    constexpr Pair kOnes = 0x3f803f80;
    return dot(sum, reinterpret_cast<__m512i>(pairs), kOnes);
  }
  QUERN_SIMD F32x16 dot(F32x16 sum, Vector a, const Pair& b) {
    const __m512i all = _mm512_set1_epi32(static_cast<int>(b));
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(all));
  }

 private:
  QUERN_SIMD void put(Pair* out, __m512bh pairs) { std::memcpy(out, &pairs, sizeof pairs); }
};

}  // namespace quern::cpu
