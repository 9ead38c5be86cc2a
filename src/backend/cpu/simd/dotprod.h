// NEON with the dot product of signed bytes (FEAT_DotProd): ARM since 2018 (Cortex-A76, Apple M1).
#pragma once
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

struct NeonDotprod : Neon {
  // Codes are at most 127 here, or become signed ones (kByteZero = 128).
  template <class Codes>
  QUERN_SIMD I32x16 dot(I32x16 sum, Codes w, I32x16 four) {
    return each<I32x16>(QUERN_PART(i) {
      return vdotq_s32(sum.q[i], vreinterpretq_s8_u8(w.q[i]), vreinterpretq_s8_s32(four.q[i]));
    });
  }
};

}  // namespace quern::cpu
