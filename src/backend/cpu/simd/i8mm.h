// NEON with the dot product of unsigned by signed bytes (FEAT_I8MM): ARM since 2020 (Neoverse V1,
// Cortex-X2, Apple M2).
#pragma once
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

struct NeonI8mm : Neon {
  struct Bytes {
    uint8x16_t q[4];
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return bytes(load_i32(line)); }
  QUERN_SIMD Bytes bytes(I32x16 codes) {
    return each<Bytes>(QUERN_PART(i) { return vreinterpretq_u8_s32(codes.q[i]); });
  }
  template <class Codes>
  QUERN_SIMD I32x16 dot(I32x16 sum, Codes w, I32x16 four) {
    return each<I32x16>(
        QUERN_PART(i) { return vusdotq_s32(sum.q[i], w.q[i], vreinterpretq_s8_s32(four.q[i])); });
  }
};

}  // namespace quern::cpu
