// AVX-512 with the int8 dot product (VNNI).
#pragma once
#include "backend/cpu/simd/avx512.h"

namespace quern::cpu {

struct Avx512Vnni : Avx512 {
  struct Bytes {
    __m512i code;
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return {load_i32(line)}; }
  QUERN_SIMD Bytes bytes(I32x16 codes) { return {codes}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Bytes w, I32x16 four) {
    return _mm512_dpbusd_epi32(sum, w.code, four);
  }
  struct Small {
    __m512i code;
  };
  QUERN_SIMD Small small(I32x16 codes) { return {codes}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Small w, I32x16 four) {
    return _mm512_dpbusd_epi32(sum, w.code, four);
  }

  static constexpr bool kReadsPacked = true;
  static constexpr bool kMultipliesPairs = false;
  static constexpr int kProbeChains = 12;
  static constexpr int kTileStrips = 2, kTileRows = 6, kFloatTileRows = 12;
};

}  // namespace quern::cpu
