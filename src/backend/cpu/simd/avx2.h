// The vector vocabulary on AVX2 with FMA and F16C: two registers a vector. simd/scalar.h says what
// each function means. Included by files compiled for this instruction set only.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

struct Avx2 {
  static constexpr int kLanes = 16;
  static constexpr int kAttentionStrips = 1;
  struct F32x16 {
    __m256 low, high;  // lanes 0..7, 8..15
  };
  struct I32x16 {
    __m256i low, high;
  };
  struct Mask {
    __m256 low, high;
  };

  QUERN_SIMD F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  QUERN_SIMD void store(float* p, F32x16 v) {
    _mm256_storeu_ps(p, v.low);
    _mm256_storeu_ps(p + 8, v.high);
  }
  QUERN_SIMD I32x16 load_i32(const void* p) {
    return {bits256(p), bits256(static_cast<const char*>(p) + 32)};
  }
  QUERN_SIMD void store_i32(void* p, I32x16 v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v.low);
    _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, v.high);
  }
  QUERN_SIMD F32x16 load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(bits128(p)), _mm256_cvtph_ps(bits128(p + 8))};
  }
  QUERN_SIMD void store_f16(uint16_t* p, F32x16 v) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    put(p, _mm256_cvtps_ph(v.low, kNearest));
    put(p + 8, _mm256_cvtps_ph(v.high, kNearest));
  }
  QUERN_SIMD F32x16 load_bf16(const uint16_t* p) {
    return as_float(shift_left<16>(
        I32x16{_mm256_cvtepu16_epi32(bits128(p)), _mm256_cvtepu16_epi32(bits128(p + 8))}));
  }
  QUERN_SIMD void store_bf16(uint16_t* p, F32x16 v) {
    const Mask nan{_mm256_cmp_ps(v.low, v.low, _CMP_UNORD_Q),
                   _mm256_cmp_ps(v.high, v.high, _CMP_UNORD_Q)};
    const F32x16 quiet = as_float(bit_or(as_int(v), fill_i32(0x400000)));
    const I32x16 kept = shift_right<16>(as_int(select(nan, quiet, as_float(bf16_in_high_half(v)))));
    const __m256i pairs = _mm256_packus_epi32(kept.low, kept.high);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(pairs, 0xd8));
  }
  QUERN_SIMD I32x16 load_i8(const int8_t* p) {
    const __m128i v = bits128(p);
    return {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(v, v))};
  }
  QUERN_SIMD void store_i8(int8_t* p, I32x16 v) {
    const I32x16 b = bit_and(v, fill_i32(255));
    const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(b.low, b.high), 0xd8);
    put(p, _mm_packus_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
  }

  QUERN_SIMD F32x16 load_part(const float* p, int64_t n) {
    const Mask m = first(static_cast<int>(n));
    return {_mm256_maskload_ps(p, _mm256_castps_si256(m.low)),
            _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.high))};
  }
  QUERN_SIMD void store_part(float* p, int64_t n, F32x16 v) {
    const Mask m = first(static_cast<int>(n));
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.low), v.low);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.high), v.high);
  }

  QUERN_SIMD F32x16 fill(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  QUERN_SIMD I32x16 fill_i32(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  QUERN_SIMD I32x16 broadcast_i32(const void* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof x);
    return fill_i32(x);
  }

  QUERN_SIMD F32x16 add(F32x16 a, F32x16 b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 sub(F32x16 a, F32x16 b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 mul(F32x16 a, F32x16 b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 div(F32x16 a, F32x16 b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static constexpr int kF64Lanes = 4;
  QUERN_SIMD __m256d widen_f64(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
  QUERN_SIMD __m256d fma_f64(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
  QUERN_SIMD F32x16 max(F32x16 a, F32x16 b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 min(F32x16 a, F32x16 b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
  }
  QUERN_SIMD F32x16 abs(F32x16 a) { return as_float(bit_and(as_int(a), fill_i32(0x7fffffff))); }

  QUERN_SIMD I32x16 add(I32x16 a, I32x16 b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
  }
  QUERN_SIMD I32x16 sub(I32x16 a, I32x16 b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
  }
  QUERN_SIMD I32x16 max(I32x16 a, I32x16 b) {
    return {_mm256_max_epi32(a.low, b.low), _mm256_max_epi32(a.high, b.high)};
  }
  QUERN_SIMD I32x16 min(I32x16 a, I32x16 b) {
    return {_mm256_min_epi32(a.low, b.low), _mm256_min_epi32(a.high, b.high)};
  }
  QUERN_SIMD I32x16 bit_and(I32x16 a, I32x16 b) {
    return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
  }
  QUERN_SIMD I32x16 bit_or(I32x16 a, I32x16 b) {
    return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
  }
  QUERN_SIMD I32x16 bit_xor(I32x16 a, I32x16 b) {
    return {_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)};
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_left(I32x16 a) {
    return {_mm256_slli_epi32(a.low, kBits), _mm256_slli_epi32(a.high, kBits)};
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right(I32x16 a) {
    return {_mm256_srli_epi32(a.low, kBits), _mm256_srli_epi32(a.high, kBits)};
  }
  QUERN_SIMD I32x16 shift_left_by(I32x16 a, int n) {
    return {_mm256_slli_epi32(a.low, n), _mm256_slli_epi32(a.high, n)};
  }
  QUERN_SIMD I32x16 shift_right_by(I32x16 a, int n) {
    return {_mm256_srli_epi32(a.low, n), _mm256_srli_epi32(a.high, n)};
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right_signed(I32x16 a) {
    return {_mm256_srai_epi32(a.low, kBits), _mm256_srai_epi32(a.high, kBits)};
  }

  QUERN_SIMD I32x16 round_to_int(F32x16 a) {
    return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
  }
  QUERN_SIMD F32x16 to_float(I32x16 a) {
    return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
  }
  QUERN_SIMD I32x16 as_int(F32x16 a) {
    return {_mm256_castps_si256(a.low), _mm256_castps_si256(a.high)};
  }
  QUERN_SIMD F32x16 as_float(I32x16 a) {
    return {_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
  }

  QUERN_SIMD Mask less(F32x16 a, F32x16 b) {
    return {_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
  }
  QUERN_SIMD Mask less(I32x16 a, I32x16 b) {
    const F32x16 m =
        as_float(I32x16{_mm256_cmpgt_epi32(b.low, a.low), _mm256_cmpgt_epi32(b.high, a.high)});
    return {m.low, m.high};
  }
  QUERN_SIMD F32x16 select(Mask m, F32x16 yes, F32x16 no) {
    return {_mm256_blendv_ps(no.low, yes.low, m.low), _mm256_blendv_ps(no.high, yes.high, m.high)};
  }
  QUERN_SIMD bool any(Mask m) { return _mm256_movemask_ps(_mm256_or_ps(m.low, m.high)) != 0; }
  QUERN_SIMD Mask first(int n) {
    const I32x16 index{_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                       _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
    return less(index, fill_i32(n));
  }

  QUERN_SIMD float total(F32x16 a) {
    const __m256 by8 = _mm256_add_ps(a.low, a.high);
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
  }
  QUERN_SIMD int32_t total(I32x16 a) {
    const __m256i by8 = _mm256_add_epi32(a.low, a.high);
    const __m128i by4 =
        _mm_add_epi32(_mm256_castsi256_si128(by8), _mm256_extracti128_si256(by8, 1));
    const __m128i by2 = _mm_add_epi32(by4, _mm_shuffle_epi32(by4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(by2, _mm_shuffle_epi32(by2, 0xb1)));
  }
  QUERN_SIMD float largest(F32x16 a) {
    const __m256 by8 = _mm256_max_ps(a.low, a.high);
    const __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
  }

  // Pairs of products stay below 2^15: 2 * 127 * 127.
  struct Small {
    I32x16 code;
  };
  QUERN_SIMD Small small(I32x16 codes) { return {codes}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, Small w, I32x16 four) {
    return add(sum, I32x16{pairs(_mm256_maddubs_epi16(w.code.low, four.low)),
                           pairs(_mm256_maddubs_epi16(w.code.high, four.high))});
  }
  // As signed numbers code - 128: their size, and themselves for the sign. Pairs stay below 2^15:
  // 2 * 128 * 127.
  struct Bytes {
    I32x16 size, code;
  };
  static constexpr int kByteZero = 128;
  QUERN_SIMD Bytes bytes(const void* line) { return bytes(load_i32(line)); }
  QUERN_SIMD Bytes bytes(I32x16 codes) {
    const I32x16 code = bit_xor(codes, fill_i32(static_cast<int32_t>(0x80808080u)));
    return {{_mm256_abs_epi8(code.low), _mm256_abs_epi8(code.high)}, code};
  }
  QUERN_SIMD I32x16 dot(I32x16 sum, const Bytes& w, I32x16 four) {
    const __m256i low = _mm256_sign_epi8(four.low, w.code.low);
    const __m256i high = _mm256_sign_epi8(four.high, w.code.high);
    return add(sum, I32x16{pairs(_mm256_maddubs_epi16(w.size.low, low)),
                           pairs(_mm256_maddubs_epi16(w.size.high, high))});
  }

  QUERN_SIMD I32x16 look_up_16(I32x16 table, I32x16 index) {
    return {_mm256_shuffle_epi8(table.low, index.low), _mm256_shuffle_epi8(table.high, index.high)};
  }
  QUERN_SIMD I32x16 look_up_64(const uint8_t* table, I32x16 index) {
    return {look_up_64(table, index.low), look_up_64(table, index.high)};
  }
  QUERN_SIMD I32x16 where_top_two(I32x16 x, I32x16 yes, I32x16 no) {
    return {where_top_two(x.low, yes.low, no.low), where_top_two(x.high, yes.high, no.high)};
  }

  static constexpr bool kReadsPacked = true;
  static constexpr bool kMultipliesPairs = false;
  static constexpr int kProbeChains = 6;
  static constexpr int kTileStrips = 1, kTileRows = 2, kFloatTileRows = 6;
  static constexpr int kWideStrips = 1, kWideRows = 6;

  QUERN_SIMD void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  QUERN_SIMD void prefetch_once(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_NTA);
  }

 private:
  // The table's quarters by the low four bits; then the upper two, moved to the bit that blendv
  // looks at, choose among them.
  QUERN_SIMD __m256i look_up_64(const uint8_t* table, __m256i index) {
    const __m256i low = _mm256_and_si256(index, _mm256_set1_epi8(15));
    const auto quarter = [&](int i) {
      return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bits128(table + 16 * i)), low);
    };
    const __m256i odd = _mm256_slli_epi32(index, 3), upper = _mm256_slli_epi32(index, 2);
    return _mm256_blendv_epi8(_mm256_blendv_epi8(quarter(0), quarter(1), odd),
                              _mm256_blendv_epi8(quarter(2), quarter(3), odd), upper);
  }
  QUERN_SIMD __m256i where_top_two(__m256i x, __m256i yes, __m256i no) {
    return _mm256_blendv_epi8(no, yes, _mm256_and_si256(x, _mm256_slli_epi32(x, 1)));
  }
  QUERN_SIMD __m256i pairs(__m256i words) {  // sums of neighbours
    return _mm256_madd_epi16(words, _mm256_set1_epi16(1));
  }
  QUERN_SIMD I32x16 bf16_in_high_half(F32x16 v) {
    const I32x16 even = bit_and(shift_right<16>(as_int(v)), fill_i32(1));
    return add(add(as_int(v), fill_i32(0x7fff)), even);
  }
  QUERN_SIMD __m256i bits256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  QUERN_SIMD __m128i bits128(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  QUERN_SIMD void put(void* p, __m128i v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }
};

}  // namespace quern::cpu
