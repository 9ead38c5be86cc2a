// Dot products of bytes on ARM where they are other instructions than those of the kernels.
// Included by files compiled for NEON or a later set.
#pragma once
#include "backend/cpu/probe_kernel.h"
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

inline constexpr int kNeonChains = 12;

// Without an instruction for it. A product of two bytes has 16 bits; kInWords of them are added
// there before they are widened to 32: two of codes up to 127, sixteen of codes up to 15 (30480).
template <class V, int kInWords>
int64_t probe_neon_dots(int64_t rounds) {
  const int8x16_t w = vdupq_n_s8(kInWords > 2 ? 15 : 127);
  int8x16_t a = vdupq_n_s8(3);
  int32x4_t sum[kNeonChains];
  QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) sum[i] = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) {
      forget(a);
      int16x8_t words = vmull_s8(vget_low_s8(w), vget_low_s8(a));
      words = vmlal_high_s8(words, w, a);
      QUERN_UNROLL for (int j = 2; j < kInWords; j += 2) {
        forget(a);
        words = vmlal_s8(words, vget_low_s8(w), vget_low_s8(a));
        words = vmlal_high_s8(words, w, a);
      }
      sum[i] = vpadalq_s16(sum[i], words);
    }
  }
  QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) forget(sum[i]);
  return rounds * kNeonChains * kInWords * 2 * 8;
}

#if defined(__ARM_FEATURE_MATMUL_INT8)
// 2 x 8 by 8 x 2 bytes.
inline int64_t probe_usmmla(int64_t rounds) {
  const uint8x16_t w = vdupq_n_u8(200);
  int8x16_t a = vdupq_n_s8(3);
  int32x4_t sum[kNeonChains];
  QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) sum[i] = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) {
      forget(a);
      sum[i] = vusmmlaq_s32(sum[i], w, a);
    }
  }
  QUERN_UNROLL for (int i = 0; i < kNeonChains; ++i) forget(sum[i]);
  return rounds * kNeonChains * 2 * 32;
}
#endif

}  // namespace quern::cpu
