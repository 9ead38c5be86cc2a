// AVX-512 with the int8 and the bf16 dot product.
#pragma once
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

struct Avx512Bf16 : Avx512Vnni {
  QUERN_SIMD F32x16 dot_bf16(I32x16 a, I32x16 b, F32x16 sum) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

}  // namespace quern::cpu
