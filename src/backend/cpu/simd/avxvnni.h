// AVX2 with the int8 dot product in its VEX form (AVX-VNNI): Intel's desktop processors since Alder
// Lake, AMD since Zen 5.
#pragma once
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

struct AvxVnni : Avx2 {
  struct Small {
    I32x16 code;
  };
  QUERN_SIMD Small small(I32x16 codes) { return {codes}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Small w, I32x16 four) { return dot(sum, w.code, four); }

  struct Bytes {
    I32x16 code;
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return {load_i32(line)}; }
  QUERN_SIMD Bytes bytes(I32x16 codes) { return {codes}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Bytes w, I32x16 four) { return dot(sum, w.code, four); }

  static constexpr int kTileStrips = 1, kTileRows = 4, kFloatTileRows = 6;

 private:
  QUERN_SIMD I32x16 dot(I32x16 sum, I32x16 codes, I32x16 four) {
    return {_mm256_dpbusd_avx_epi32(sum.low, codes.low, four.low),
            _mm256_dpbusd_avx_epi32(sum.high, codes.high, four.high)};
  }
};

}  // namespace quern::cpu
