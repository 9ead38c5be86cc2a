// The vector vocabulary on AVX-512 (F, BW, DQ, VL): one register a vector. simd/scalar.h says what
// each function means. Included by files compiled for this instruction set only.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr int kAttentionStrips = 4;
  static constexpr int kWideStrips = 4, kWideRows = 6;
  using F32x16 = __m512;
  using I32x16 = __m512i;
  using Mask = __mmask16;

  QUERN_SIMD F32x16 load(const float* p) { return _mm512_loadu_ps(p); }
  QUERN_SIMD void store(float* p, F32x16 v) { _mm512_storeu_ps(p, v); }
  QUERN_SIMD I32x16 load_i32(const void* p) { return _mm512_loadu_si512(p); }
  QUERN_SIMD void store_i32(void* p, I32x16 v) { _mm512_storeu_si512(p, v); }
  QUERN_SIMD F32x16 load_f16(const uint16_t* p) { return _mm512_cvtph_ps(half(p)); }
  QUERN_SIMD void store_f16(uint16_t* p, F32x16 v) {
    put(p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  QUERN_SIMD F32x16 load_bf16(const uint16_t* p) {
    return as_float(shift_left<16>(_mm512_cvtepu16_epi32(half(p))));
  }
  QUERN_SIMD void store_bf16(uint16_t* p, F32x16 v) {
    const Mask nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const I32x16 kept =
        _mm512_mask_or_epi32(bf16_in_high_half(v), nan, as_int(v), fill_i32(0x400000));
    put(p, _mm512_cvtepi32_epi16(shift_right<16>(kept)));
  }
  QUERN_SIMD I32x16 load_i8(const int8_t* p) {
    __m128i v;
    std::memcpy(&v, p, sizeof v);
    return _mm512_cvtepi8_epi32(v);
  }
  QUERN_SIMD void store_i8(int8_t* p, I32x16 v) {
    const __m128i bytes = _mm512_cvtepi32_epi8(v);
    std::memcpy(p, &bytes, sizeof bytes);
  }

  QUERN_SIMD F32x16 load_part(const float* p, int64_t n) {
    return _mm512_maskz_loadu_ps(first(static_cast<int>(n)), p);
  }
  QUERN_SIMD void store_part(float* p, int64_t n, F32x16 v) {
    _mm512_mask_storeu_ps(p, first(static_cast<int>(n)), v);
  }

  QUERN_SIMD F32x16 fill(float x) { return _mm512_set1_ps(x); }
  QUERN_SIMD I32x16 fill_i32(int32_t x) { return _mm512_set1_epi32(x); }
  QUERN_SIMD I32x16 broadcast_i32(const void* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
  }

  QUERN_SIMD F32x16 add(F32x16 a, F32x16 b) { return _mm512_add_ps(a, b); }
  QUERN_SIMD F32x16 sub(F32x16 a, F32x16 b) { return _mm512_sub_ps(a, b); }
  QUERN_SIMD F32x16 mul(F32x16 a, F32x16 b) { return _mm512_mul_ps(a, b); }
  QUERN_SIMD F32x16 div(F32x16 a, F32x16 b) { return _mm512_div_ps(a, b); }
  QUERN_SIMD F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return _mm512_fmadd_ps(a, b, c); }
  static constexpr int kF64Lanes = 8;
  QUERN_SIMD __m512d widen_f64(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  QUERN_SIMD __m512d fma_f64(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
  QUERN_SIMD F32x16 max(F32x16 a, F32x16 b) { return _mm512_max_ps(a, b); }
  QUERN_SIMD F32x16 min(F32x16 a, F32x16 b) { return _mm512_min_ps(a, b); }
  QUERN_SIMD F32x16 abs(F32x16 a) { return _mm512_abs_ps(a); }

  QUERN_SIMD I32x16 add(I32x16 a, I32x16 b) { return _mm512_add_epi32(a, b); }
  QUERN_SIMD I32x16 sub(I32x16 a, I32x16 b) { return _mm512_sub_epi32(a, b); }
  QUERN_SIMD I32x16 max(I32x16 a, I32x16 b) { return _mm512_max_epi32(a, b); }
  QUERN_SIMD I32x16 min(I32x16 a, I32x16 b) { return _mm512_min_epi32(a, b); }
  QUERN_SIMD I32x16 bit_and(I32x16 a, I32x16 b) { return _mm512_and_si512(a, b); }
  QUERN_SIMD I32x16 bit_or(I32x16 a, I32x16 b) { return _mm512_or_si512(a, b); }
  QUERN_SIMD I32x16 bit_xor(I32x16 a, I32x16 b) { return _mm512_xor_si512(a, b); }
  template <int kBits>
  QUERN_SIMD I32x16 shift_left(I32x16 a) {
    return _mm512_slli_epi32(a, kBits);
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right(I32x16 a) {
    return _mm512_srli_epi32(a, kBits);
  }
  QUERN_SIMD I32x16 shift_left_by(I32x16 a, int n) {
    return _mm512_slli_epi32(a, static_cast<unsigned>(n));
  }
  QUERN_SIMD I32x16 shift_right_by(I32x16 a, int n) {
    return _mm512_srli_epi32(a, static_cast<unsigned>(n));
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right_signed(I32x16 a) {
    return _mm512_srai_epi32(a, kBits);
  }

  QUERN_SIMD I32x16 round_to_int(F32x16 a) {
    return _mm512_cvt_roundps_epi32(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  QUERN_SIMD F32x16 to_float(I32x16 a) { return _mm512_cvtepi32_ps(a); }
  QUERN_SIMD I32x16 as_int(F32x16 a) { return _mm512_castps_si512(a); }
  QUERN_SIMD F32x16 as_float(I32x16 a) { return _mm512_castsi512_ps(a); }

  QUERN_SIMD Mask less(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  QUERN_SIMD Mask less(I32x16 a, I32x16 b) { return _mm512_cmplt_epi32_mask(a, b); }
  QUERN_SIMD F32x16 select(Mask m, F32x16 yes, F32x16 no) {
    return _mm512_mask_blend_ps(m, no, yes);
  }
  QUERN_SIMD bool any(Mask m) { return m != 0; }
  QUERN_SIMD Mask first(int n) {
    return static_cast<Mask>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
  }

  QUERN_SIMD float total(F32x16 a) {
    const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
  }
  QUERN_SIMD int32_t total(I32x16 a) { return _mm512_reduce_add_epi32(a); }
  QUERN_SIMD float largest(F32x16 a) {
    const __m256 by8 = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
  }

  QUERN_SIMD I32x16 look_up_16(I32x16 table, I32x16 index) {
    return _mm512_shuffle_epi8(table, index);
  }
  QUERN_SIMD I32x16 look_up_64(const uint8_t* table, I32x16 index) {
#if defined(__AVX512VBMI__)
    return _mm512_permutexvar_epi8(index, load_i32(table));
#else
    const auto quarter = [&](int i) { return _mm512_broadcast_i32x4(bits128(table + 16 * i)); };
    const __m512i low = bit_and(index, fill_i32(0x0f0f0f0f));
    const __mmask64 odd = _mm512_test_epi8_mask(index, fill_i32(0x10101010));
    const __mmask64 upper = _mm512_test_epi8_mask(index, fill_i32(0x20202020));
    const __m512i a =
        _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(quarter(0), low), odd, quarter(1), low);
    const __m512i b =
        _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(quarter(2), low), odd, quarter(3), low);
    return _mm512_mask_blend_epi8(upper, a, b);
#endif
  }
  QUERN_SIMD I32x16 where_top_two(I32x16 x, I32x16 yes, I32x16 no) {
    const __mmask64 top = _mm512_cmpge_epu8_mask(x, fill_i32(static_cast<int32_t>(0xc0c0c0c0u)));
    return _mm512_mask_blend_epi8(top, no, yes);
  }

  QUERN_SIMD void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  QUERN_SIMD void prefetch_once(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_NTA);
  }

 private:
  QUERN_SIMD I32x16 bf16_in_high_half(F32x16 v) {
    const I32x16 even = bit_and(shift_right<16>(as_int(v)), fill_i32(1));
    return add(add(as_int(v), fill_i32(0x7fff)), even);
  }
  QUERN_SIMD __m128i bits128(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  QUERN_SIMD __m256i half(const uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  QUERN_SIMD void put(uint16_t* p, __m256i v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
  }
};

}  // namespace quern::cpu
