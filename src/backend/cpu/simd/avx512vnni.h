// AVX-512 with the int8 dot product (VNNI).
#pragma once
#include "backend/cpu/simd/avx512.h"

namespace quern::cpu {

struct Avx512Vnni : Avx512 {
  struct Nibbles {
    __m512i code;
  };
  static constexpr int kHighNibble = 16;  // left in place: an AND less a shift
  QUERN_SIMD Nibbles low_nibbles(const void* line) {
    return {_mm512_and_si512(load_i32(line), fill_i32(0x0f0f0f0f))};
  }
  QUERN_SIMD Nibbles high_nibbles(const void* line) {
    return {_mm512_and_si512(load_i32(line), fill_i32(static_cast<int32_t>(0xf0f0f0f0u)))};
  }
  QUERN_SIMD I32x16 dot(I32x16 sum, Nibbles w, I32x16 four) {
    return _mm512_dpbusd_epi32(sum, w.code, four);
  }
  struct Bytes {
    __m512i code;
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return {load_i32(line)}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Bytes w, I32x16 four) {
    return _mm512_dpbusd_epi32(sum, w.code, four);
  }

  static constexpr int kTileStrips = 2, kTileRows = 6, kFloatTileRows = 12;
};

}  // namespace quern::cpu
