// Dot products of codes of four bits without an instruction for it. Included by files compiled for
// AVX2.
#pragma once
#include "backend/cpu/probe_kernel.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

// Sums of two products are at most 15 * 127 * 2, so eight of them can be added in 16 bits (30480)
// before they are widened to 32: seventeen instructions for eight products, not twenty-four.
inline int64_t probe_int4_dots_avx2(int64_t rounds) {
  constexpr int kChains = 4, kInWords = 8;
  alignas(32) uint8_t line[32];
  for (int i = 0; i < 32; ++i) line[i] = static_cast<uint8_t>(i & 15);
  const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(line));
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i a = _mm256_set1_epi32(0x01020304), sum[kChains];
  QUERN_UNROLL for (int i = 0; i < kChains; ++i) sum[i] = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) {
    QUERN_UNROLL for (int i = 0; i < kChains; ++i) {
      forget(a);
      __m256i words = _mm256_maddubs_epi16(w, a);
      QUERN_UNROLL for (int j = 1; j < kInWords; ++j) {
        forget(a);
        words = _mm256_add_epi16(words, _mm256_maddubs_epi16(w, a));
      }
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(words, ones));
    }
  }
  QUERN_UNROLL for (int i = 0; i < kChains; ++i) forget(sum[i]);
  return rounds * kChains * kInWords * 2 * 32;
}

}  // namespace quern::cpu
