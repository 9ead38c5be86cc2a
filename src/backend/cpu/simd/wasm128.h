// The vector vocabulary on WebAssembly's 128-bit vectors: four registers a vector. simd/scalar.h
// says what each function means. Relaxed SIMD is not used: its results differ between machines.
#pragma once
#include <wasm_simd128.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/four_registers.h"

namespace quern::cpu {

struct Wasm128 : FourRegisters<v128_t, v128_t, v128_t> {
  QUERN_SIMD F32x16 load(const float* p) {
    return each<F32x16>(QUERN_PART(i) { return wasm_v128_load(p + 4 * i); });
  }
  QUERN_SIMD void store(float* p, F32x16 v) {
    for (int i = 0; i < 4; ++i) wasm_v128_store(p + 4 * i, v.q[i]);
  }
  QUERN_SIMD I32x16 load_i32(const void* p) {
    return each<I32x16>(QUERN_PART(i) { return bytes16(p, i); });
  }
  QUERN_SIMD void store_i32(void* p, I32x16 v) {
    for (int i = 0; i < 4; ++i) wasm_v128_store(static_cast<uint8_t*>(p) + 16 * i, v.q[i]);
  }
  QUERN_SIMD F32x16 load_bf16(const uint16_t* p) { return as_float(shift_left<16>(load_u16(p))); }
  QUERN_SIMD void store_bf16(uint16_t* p, F32x16 v) {
    const I32x16 bits = as_int(v);
    const I32x16 even = bit_and(shift_right<16>(bits), fill_i32(1));
    const F32x16 rounded = as_float(add(add(bits, fill_i32(0x7fff)), even));
    const F32x16 quiet = as_float(bit_or(bits, fill_i32(0x400000)));
    store_u16(p, shift_right<16>(as_int(select(is_number(v), rounded, quiet))));
  }
  // There is no instruction for f16. As f32 the bits mean 2^-112 of the number, subnormals too;
  // exponent 31 means infinity and NaN.
  QUERN_SIMD F32x16 load_f16(const uint16_t* p) {
    const I32x16 bits = load_u16(p);
    const I32x16 size = shift_left<13>(bit_and(bits, fill_i32(0x7fff)));
    const F32x16 special = as_float(bit_or(size, fill_i32(0x7f800000)));
    const F32x16 finite = mul(as_float(size), fill(0x1p112f));
    const F32x16 value = select(less(size, fill_i32(31 << 23)), finite, special);
    const I32x16 sign = shift_left<16>(bit_and(bits, fill_i32(0x8000)));
    return as_float(bit_or(as_int(value), sign));
  }
  // As f32_to_f16 in base/float16.h.
  QUERN_SIMD void store_f16(uint16_t* p, F32x16 v) {
    const I32x16 bits = as_int(v), size = bit_and(bits, fill_i32(0x7fffffff));
    const I32x16 subnormal = sub(as_int(add(as_float(size), fill(0.5f))), fill_i32(0x3f000000));
    const I32x16 even = bit_and(shift_right<13>(size), fill_i32(1));
    const I32x16 rounded = shift_right<13>(add(add(size, fill_i32(0xfff)), even));
    const I32x16 normal = sub(rounded, fill_i32(112 << 10));
    const F32x16 finite =
        select(less(size, fill_i32(0x38800000)), as_float(subnormal), as_float(normal));
    const F32x16 no_number = as_float(fill_i32(0x7e00)), infinity = as_float(fill_i32(0x7c00));
    const F32x16 special = select(is_number(v), infinity, no_number);
    const F32x16 half = select(less(size, fill_i32(0x477ff000)), finite, special);
    const I32x16 sign = bit_and(shift_right<16>(bits), fill_i32(0x8000));
    store_u16(p, bit_or(as_int(half), sign));
  }
  QUERN_SIMD I32x16 load_i8(const int8_t* p) {
    const v128_t v = wasm_v128_load(p);
    const v128_t low = wasm_i16x8_extend_low_i8x16(v), high = wasm_i16x8_extend_high_i8x16(v);
    return {{wasm_i32x4_extend_low_i16x8(low), wasm_i32x4_extend_high_i16x8(low),
             wasm_i32x4_extend_low_i16x8(high), wasm_i32x4_extend_high_i16x8(high)}};
  }
  QUERN_SIMD void store_i8(int8_t* p, I32x16 v) {
    const v128_t low = low_halves(v.q[0], v.q[1]), high = low_halves(v.q[2], v.q[3]);
    wasm_v128_store(p, wasm_i8x16_shuffle(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                          26, 28, 30));
  }

  QUERN_SIMD F32x16 fill(float x) {
    const v128_t v = wasm_f32x4_splat(x);
    return {{v, v, v, v}};
  }
  QUERN_SIMD I32x16 fill_i32(int32_t x) {
    const v128_t v = wasm_i32x4_splat(x);
    return {{v, v, v, v}};
  }
  QUERN_SIMD I32x16 broadcast_i32(const void* p) {
    const v128_t v = wasm_v128_load32_splat(p);
    return {{v, v, v, v}};
  }

  QUERN_OF_TWO(F32x16, add, F32x16, wasm_f32x4_add)
  QUERN_OF_TWO(F32x16, sub, F32x16, wasm_f32x4_sub)
  QUERN_OF_TWO(F32x16, mul, F32x16, wasm_f32x4_mul)
  QUERN_OF_TWO(F32x16, div, F32x16, wasm_f32x4_div)
  QUERN_OF_TWO(F32x16, max, F32x16, larger)
  QUERN_OF_TWO(F32x16, min, F32x16, smaller)
  QUERN_OF_ONE(F32x16, abs, F32x16, wasm_f32x4_abs)
  QUERN_SIMD F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return each<F32x16>(QUERN_PART(i) {
      const v128_t low = fma_f64(promote_low(a.q[i]), promote_low(b.q[i]), promote_low(c.q[i]));
      const v128_t high = fma_f64(promote_high(a.q[i]), promote_high(b.q[i]), promote_high(c.q[i]));
      return wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low),
                                wasm_f32x4_demote_f64x2_zero(high), 0, 2);
    });
  }

  // The C library's, on integers: exact for all numbers, and slow.
  static constexpr int kF64Lanes = 2;
  QUERN_SIMD v128_t widen_f64(const float* p) {
    return wasm_f64x2_promote_low_f32x4(wasm_v128_load64_zero(p));
  }
  template <class F64>
  QUERN_SIMD F64 fma_f64(F64 a, F64 b, F64 c) {
    return F64{fused_multiply_add(a[0], b[0], c[0]), fused_multiply_add(a[1], b[1], c[1])};
  }

  QUERN_OF_TWO(I32x16, add, I32x16, wasm_i32x4_add)
  QUERN_OF_TWO(I32x16, sub, I32x16, wasm_i32x4_sub)
  QUERN_OF_TWO(I32x16, max, I32x16, wasm_i32x4_max)
  QUERN_OF_TWO(I32x16, min, I32x16, wasm_i32x4_min)
  QUERN_OF_TWO(I32x16, bit_and, I32x16, wasm_v128_and)
  QUERN_OF_TWO(I32x16, bit_or, I32x16, wasm_v128_or)
  QUERN_OF_TWO(I32x16, bit_xor, I32x16, wasm_v128_xor)
  QUERN_SIMD I32x16 shift_left_by(I32x16 a, int n) {
    return each<I32x16>(QUERN_PART(i) { return wasm_i32x4_shl(a.q[i], n); });
  }
  QUERN_SIMD I32x16 shift_right_by(I32x16 a, int n) {
    return each<I32x16>(QUERN_PART(i) { return wasm_u32x4_shr(a.q[i], n); });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_left(I32x16 a) {
    return shift_left_by(a, kBits);
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right(I32x16 a) {
    return shift_right_by(a, kBits);
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right_signed(I32x16 a) {
    return each<I32x16>(QUERN_PART(i) { return wasm_i32x4_shr(a.q[i], kBits); });
  }

  // The conversion saturates and turns NaN into 0.
  QUERN_SIMD I32x16 round_to_int(F32x16 a) {
    return each<I32x16>(QUERN_PART(i) {
      const v128_t rounded = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(a.q[i]));
      const v128_t fits = wasm_f32x4_lt(a.q[i], wasm_f32x4_splat(0x1p31f));
      return wasm_v128_bitselect(rounded, wasm_i32x4_splat(INT32_MIN), fits);
    });
  }
  QUERN_OF_ONE(F32x16, to_float, I32x16, wasm_f32x4_convert_i32x4)
  QUERN_SIMD I32x16 as_int(F32x16 a) { return {{a.q[0], a.q[1], a.q[2], a.q[3]}}; }
  QUERN_SIMD F32x16 as_float(I32x16 a) { return {{a.q[0], a.q[1], a.q[2], a.q[3]}}; }

  QUERN_OF_TWO(Mask, less, F32x16, wasm_f32x4_lt)
  QUERN_OF_TWO(Mask, less, I32x16, wasm_i32x4_lt)
  QUERN_SIMD F32x16 select(Mask m, F32x16 yes, F32x16 no) {
    return each<F32x16>(QUERN_PART(i) { return wasm_v128_bitselect(yes.q[i], no.q[i], m.q[i]); });
  }
  QUERN_SIMD bool any(Mask m) {
    return wasm_v128_any_true(
        wasm_v128_or(wasm_v128_or(m.q[0], m.q[1]), wasm_v128_or(m.q[2], m.q[3])));
  }
  QUERN_SIMD Mask first(int n) {
    const v128_t index = wasm_i32x4_const(0, 1, 2, 3);
    return each<Mask>(QUERN_PART(i) { return wasm_i32x4_lt(index, wasm_i32x4_splat(n - 4 * i)); });
  }

  QUERN_SIMD float total(F32x16 a) {
    const v128_t by4 =
        wasm_f32x4_add(wasm_f32x4_add(a.q[0], a.q[2]), wasm_f32x4_add(a.q[1], a.q[3]));
    const v128_t by2 = wasm_f32x4_add(by4, upper_half(by4));
    return wasm_f32x4_extract_lane(by2, 0) + wasm_f32x4_extract_lane(by2, 1);
  }
  QUERN_SIMD int32_t total(I32x16 a) {
    const v128_t by4 =
        wasm_i32x4_add(wasm_i32x4_add(a.q[0], a.q[1]), wasm_i32x4_add(a.q[2], a.q[3]));
    const v128_t by2 = wasm_i32x4_add(by4, upper_half(by4));
    return wasm_i32x4_extract_lane(wasm_i32x4_add(by2, wasm_i32x4_shuffle(by2, by2, 1, 0, 3, 2)),
                                   0);
  }
  QUERN_SIMD float largest(F32x16 a) {
    const v128_t by4 = larger(larger(a.q[0], a.q[2]), larger(a.q[1], a.q[3]));
    const v128_t by2 = larger(by4, upper_half(by4));
    return wasm_f32x4_extract_lane(larger(by2, wasm_i32x4_shuffle(by2, by2, 1, 0, 3, 2)), 0);
  }

  struct Small {
    v128_t q[4];
  };
  QUERN_SIMD Small small(I32x16 codes) {
    return {{codes.q[0], codes.q[1], codes.q[2], codes.q[3]}};
  }
  struct Bytes {
    v128_t q[4];
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return bytes(load_i32(line)); }
  QUERN_SIMD Bytes bytes(I32x16 codes) {
    return {{codes.q[0], codes.q[1], codes.q[2], codes.q[3]}};
  }
  // Even and odd bytes apart: then the products of pairs of words are sums of their own lane.
  template <class Codes>
  QUERN_SIMD I32x16 dot(I32x16 sum, Codes w, I32x16 four) {
    return each<I32x16>(QUERN_PART(i) {
      const v128_t even = wasm_v128_and(w.q[i], wasm_i16x8_splat(255));
      const v128_t odd = wasm_u16x8_shr(w.q[i], 8);
      const v128_t of_even = wasm_i16x8_shr(wasm_i16x8_shl(four.q[i], 8), 8);
      const v128_t of_odd = wasm_i16x8_shr(four.q[i], 8);
      return wasm_i32x4_add(wasm_i32x4_add(sum.q[i], wasm_i32x4_dot_i16x8(even, of_even)),
                            wasm_i32x4_dot_i16x8(odd, of_odd));
    });
  }

  QUERN_SIMD I32x16 look_up_16(I32x16 table, I32x16 index) {
    return each<I32x16>(QUERN_PART(i) { return wasm_i8x16_swizzle(table.q[i], index.q[i]); });
  }
  // A swizzle gives 0 for an index above 15, so one of the four has the byte.
  QUERN_SIMD I32x16 look_up_64(const uint8_t* table, I32x16 index) {
    return each<I32x16>(QUERN_PART(i) {
      const v128_t at = wasm_v128_and(index.q[i], wasm_i8x16_splat(63));
      v128_t found = wasm_i8x16_swizzle(bytes16(table, 0), at);
      for (int part = 1; part < 4; ++part) {
        const v128_t within = wasm_i8x16_sub(at, wasm_i8x16_splat(static_cast<int8_t>(16 * part)));
        found = wasm_v128_or(found, wasm_i8x16_swizzle(bytes16(table, part), within));
      }
      return found;
    });
  }
  QUERN_SIMD I32x16 where_top_two(I32x16 x, I32x16 yes, I32x16 no) {
    return each<I32x16>(QUERN_PART(i) {
      const v128_t top = wasm_u8x16_ge(x.q[i], wasm_u8x16_splat(192));
      return wasm_v128_bitselect(yes.q[i], no.q[i], top);
    });
  }

  static constexpr bool kReadsPacked = true;
  static constexpr bool kMultipliesPairs = false;
  static constexpr int kProbeChains = 2;
  static constexpr int kTileStrips = 1, kTileRows = 2, kFloatTileRows = 2;
  static constexpr int kWideStrips = 1, kWideRows = 2;

 private:
  QUERN_SIMD v128_t bytes16(const void* p, int i) {
    return wasm_v128_load(static_cast<const uint8_t*>(p) + 16 * i);
  }
  QUERN_SIMD I32x16 load_u16(const uint16_t* p) {
    return each<I32x16>(QUERN_PART(i) { return wasm_u32x4_load16x4(p + 4 * i); });
  }
  QUERN_SIMD void store_u16(uint16_t* p, I32x16 v) {
    wasm_v128_store(p, low_halves(v.q[0], v.q[1]));
    wasm_v128_store(p + 8, low_halves(v.q[2], v.q[3]));
  }
  QUERN_SIMD v128_t low_halves(v128_t a, v128_t b) {
    return wasm_i16x8_shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  }
  QUERN_SIMD v128_t upper_half(v128_t a) { return wasm_i64x2_shuffle(a, a, 1, 0); }
  QUERN_SIMD Mask is_number(F32x16 v) {
    return each<Mask>(QUERN_PART(i) { return wasm_f32x4_eq(v.q[i], v.q[i]); });
  }
  // The second operand where either is NaN or both are zero.
  QUERN_SIMD v128_t larger(v128_t a, v128_t b) { return wasm_f32x4_pmax(b, a); }
  QUERN_SIMD v128_t smaller(v128_t a, v128_t b) { return wasm_f32x4_pmin(b, a); }

  QUERN_SIMD v128_t promote_low(v128_t a) { return wasm_f64x2_promote_low_f32x4(a); }
  QUERN_SIMD v128_t promote_high(v128_t a) { return promote_low(upper_half(a)); }
  // a * b + c of numbers that f32 holds, such that rounding to f32 is the only rounding: the
  // product is exact in f64, and the sum is rounded to odd (Boldo and Melquiond, "Emulation of FMA
  // and correctly rounded sums", 2008): where something was rounded away, the last bit is set, so
  // that no sum looks like the middle between two f32 which it is not.
  QUERN_SIMD v128_t fma_f64(v128_t a, v128_t b, v128_t c) {
    const v128_t p = wasm_f64x2_mul(a, b), sum = wasm_f64x2_add(p, c);
    const v128_t of_c = wasm_f64x2_sub(sum, p);
    const v128_t lost =
        wasm_f64x2_add(wasm_f64x2_sub(p, wasm_f64x2_sub(sum, of_c)), wasm_f64x2_sub(c, of_c));
    const v128_t zero = wasm_f64x2_splat(0);  // infinities lose what is no number
    const v128_t inexact = wasm_f64x2_lt(zero, wasm_f64x2_abs(lost));
    const v128_t away = wasm_v128_and(wasm_i64x2_lt(wasm_v128_xor(lost, sum), zero), inexact);
    const v128_t towards_zero = wasm_i64x2_add(sum, away);
    return wasm_v128_or(towards_zero, wasm_u64x2_shr(inexact, 63));
  }
};

}  // namespace quern::cpu
