// The vector vocabulary on NEON (ARMv8.0): four registers a vector. simd/scalar.h says what each
// function means. Included by files compiled for this instruction set or a later one only.
#pragma once
#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/four_registers.h"

namespace quern::cpu {

struct Neon : FourRegisters<float32x4_t, int32x4_t, uint32x4_t> {
  QUERN_SIMD F32x16 load(const float* p) {
    return each<F32x16>(QUERN_PART(i) { return vld1q_f32(p + 4 * i); });
  }
  QUERN_SIMD void store(float* p, F32x16 v) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.q[i]);
  }
  QUERN_SIMD I32x16 load_i32(const void* p) {
    return each<I32x16>(QUERN_PART(i) { return vreinterpretq_s32_u8(bytes16(p, i)); });
  }
  QUERN_SIMD void store_i32(void* p, I32x16 v) {
    auto* at = static_cast<uint8_t*>(p);
    for (int i = 0; i < 4; ++i) vst1q_u8(at + 16 * i, vreinterpretq_u8_s32(v.q[i]));
  }
  QUERN_SIMD F32x16 load_f16(const uint16_t* p) {
    return each<F32x16>(
        QUERN_PART(i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
  }
  QUERN_SIMD void store_f16(uint16_t* p, F32x16 v) {
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v.q[i])));
  }
  QUERN_SIMD F32x16 load_bf16(const uint16_t* p) {
    return each<F32x16>(QUERN_PART(i) {
      return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p + 4 * i)), 16));
    });
  }
  QUERN_SIMD void store_bf16(uint16_t* p, F32x16 v) {
    const I32x16 bits = as_int(v);
    const I32x16 even = bit_and(shift_right<16>(bits), fill_i32(1));
    const F32x16 rounded = as_float(add(add(bits, fill_i32(0x7fff)), even));
    const F32x16 quiet = as_float(bit_or(bits, fill_i32(0x400000)));
    const Mask number = each<Mask>(QUERN_PART(i) { return vceqq_f32(v.q[i], v.q[i]); });
    const F32x16 kept = select(number, rounded, quiet);
    for (int i = 0; i < 4; ++i)
      vst1_u16(p + 4 * i, vshrn_n_u32(vreinterpretq_u32_f32(kept.q[i]), 16));
  }
  QUERN_SIMD I32x16 load_i8(const int8_t* p) {
    const int8x16_t v = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(v)), high = vmovl_high_s8(v);
    return {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
             vmovl_high_s16(high)}};
  }
  QUERN_SIMD void store_i8(int8_t* p, I32x16 v) {
    const int16x8_t low = vmovn_high_s32(vmovn_s32(v.q[0]), v.q[1]);
    const int16x8_t high = vmovn_high_s32(vmovn_s32(v.q[2]), v.q[3]);
    vst1q_s8(p, vmovn_high_s16(vmovn_s16(low), high));
  }

  QUERN_SIMD F32x16 fill(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return {{v, v, v, v}};
  }
  QUERN_SIMD I32x16 fill_i32(int32_t x) {
    const int32x4_t v = vdupq_n_s32(x);
    return {{v, v, v, v}};
  }
  QUERN_SIMD I32x16 broadcast_i32(const void* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof x);
    return fill_i32(x);
  }

  QUERN_OF_TWO(F32x16, add, F32x16, vaddq_f32)
  QUERN_OF_TWO(F32x16, sub, F32x16, vsubq_f32)
  QUERN_OF_TWO(F32x16, mul, F32x16, vmulq_f32)
  QUERN_OF_TWO(F32x16, div, F32x16, vdivq_f32)
  QUERN_SIMD F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return each<F32x16>(QUERN_PART(i) { return vfmaq_f32(c.q[i], a.q[i], b.q[i]); });
  }
  static constexpr int kF64Lanes = 2;
  QUERN_SIMD float64x2_t widen_f64(const float* p) { return vcvt_f64_f32(vld1_f32(p)); }
  QUERN_SIMD float64x2_t fma_f64(float64x2_t a, float64x2_t b, float64x2_t c) {
    return vfmaq_f64(c, a, b);
  }
  // FMAX and FMIN would give NaN where either is, and +0 for the larger zero.
  QUERN_OF_TWO(F32x16, max, F32x16, larger)
  QUERN_OF_TWO(F32x16, min, F32x16, smaller)
  QUERN_OF_ONE(F32x16, abs, F32x16, vabsq_f32)

  QUERN_OF_TWO(I32x16, add, I32x16, vaddq_s32)
  QUERN_OF_TWO(I32x16, sub, I32x16, vsubq_s32)
  QUERN_OF_TWO(I32x16, max, I32x16, vmaxq_s32)
  QUERN_OF_TWO(I32x16, min, I32x16, vminq_s32)
  QUERN_OF_TWO(I32x16, bit_and, I32x16, vandq_s32)
  QUERN_OF_TWO(I32x16, bit_or, I32x16, vorrq_s32)
  QUERN_OF_TWO(I32x16, bit_xor, I32x16, veorq_s32)
  template <int kBits>
  QUERN_SIMD I32x16 shift_left(I32x16 a) {
    return each<I32x16>(QUERN_PART(i) { return vshlq_n_s32(a.q[i], kBits); });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right(I32x16 a) {
    return each<I32x16>(QUERN_PART(i) {
      return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.q[i]), kBits));
    });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right_signed(I32x16 a) {
    return each<I32x16>(QUERN_PART(i) { return vshrq_n_s32(a.q[i], kBits); });
  }
  QUERN_SIMD I32x16 shift_left_by(I32x16 a, int n) {
    return each<I32x16>(QUERN_PART(i) { return vshlq_s32(a.q[i], vdupq_n_s32(n)); });
  }
  QUERN_SIMD I32x16 shift_right_by(I32x16 a, int n) {
    return each<I32x16>(QUERN_PART(i) {
      return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a.q[i]), vdupq_n_s32(-n)));
    });
  }

  // FCVTNS saturates and makes 0 of NaN.
  QUERN_SIMD I32x16 round_to_int(F32x16 a) {
    return each<I32x16>(QUERN_PART(i) {
      const uint32x4_t fits = vcltq_f32(a.q[i], vdupq_n_f32(0x1p31f));
      return vbslq_s32(fits, vcvtnq_s32_f32(a.q[i]), vdupq_n_s32(INT32_MIN));
    });
  }
  QUERN_OF_ONE(F32x16, to_float, I32x16, vcvtq_f32_s32)
  QUERN_OF_ONE(I32x16, as_int, F32x16, vreinterpretq_s32_f32)
  QUERN_OF_ONE(F32x16, as_float, I32x16, vreinterpretq_f32_s32)

  QUERN_OF_TWO(Mask, less, F32x16, vcltq_f32)
  QUERN_OF_TWO(Mask, less, I32x16, vcltq_s32)
  QUERN_SIMD F32x16 select(Mask m, F32x16 yes, F32x16 no) {
    return each<F32x16>(QUERN_PART(i) { return vbslq_f32(m.q[i], yes.q[i], no.q[i]); });
  }
  QUERN_SIMD bool any(Mask m) {
    return vmaxvq_u32(vorrq_u32(vorrq_u32(m.q[0], m.q[1]), vorrq_u32(m.q[2], m.q[3]))) != 0;
  }
  QUERN_SIMD Mask first(int n) {
    const int32x4_t index = {0, 1, 2, 3};
    return each<Mask>(QUERN_PART(i) { return vcltq_s32(index, vdupq_n_s32(n - 4 * i)); });
  }

  QUERN_SIMD float total(F32x16 a) {
    const float32x4_t by4 = vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
    return vpadds_f32(vadd_f32(vget_low_f32(by4), vget_high_f32(by4)));
  }
  QUERN_SIMD int32_t total(I32x16 a) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(a.q[0], a.q[1]), vaddq_s32(a.q[2], a.q[3])));
  }
  QUERN_SIMD float largest(F32x16 a) {
    const float32x4_t by4 = larger(larger(a.q[0], a.q[2]), larger(a.q[1], a.q[3]));
    const float32x4_t by2 = larger(by4, vextq_f32(by4, by4, 2));
    return vgetq_lane_f32(larger(by2, vextq_f32(by2, by2, 1)), 0);
  }

  struct Small {
    uint8x16_t q[4];
  };
  QUERN_SIMD Small small(I32x16 codes) {
    return each<Small>(QUERN_PART(i) { return vreinterpretq_u8_s32(codes.q[i]); });
  }
  QUERN_SIMD I32x16 dot(I32x16 sum, Small w, I32x16 four) {
    return each<I32x16>(QUERN_PART(i) { return dot4(sum.q[i], w.q[i], four.q[i]); });
  }

  // As signed numbers code - 128.
  struct Bytes {
    uint8x16_t q[4];
  };
  static constexpr int kByteZero = 128;
  QUERN_SIMD Bytes bytes(const void* line) { return bytes(load_i32(line)); }
  QUERN_SIMD Bytes bytes(I32x16 codes) {
    return each<Bytes>(
        QUERN_PART(i) { return veorq_u8(vreinterpretq_u8_s32(codes.q[i]), vdupq_n_u8(128)); });
  }
  QUERN_SIMD I32x16 dot(I32x16 sum, Bytes w, I32x16 four) {
    return each<I32x16>(QUERN_PART(i) { return dot4(sum.q[i], w.q[i], four.q[i]); });
  }

  QUERN_SIMD I32x16 look_up_16(I32x16 table, I32x16 index) {
    return each<I32x16>(QUERN_PART(i) {
      return vreinterpretq_s32_u8(
          vqtbl1q_u8(vreinterpretq_u8_s32(table.q[i]), vreinterpretq_u8_s32(index.q[i])));
    });
  }
  QUERN_SIMD I32x16 look_up_64(const uint8_t* table, I32x16 index) {
    const uint8x16x4_t from = {
        {bytes16(table, 0), bytes16(table, 1), bytes16(table, 2), bytes16(table, 3)}};
    return each<I32x16>(QUERN_PART(i) {
      const uint8x16_t at = vandq_u8(vreinterpretq_u8_s32(index.q[i]), vdupq_n_u8(63));
      return vreinterpretq_s32_u8(vqtbl4q_u8(from, at));
    });
  }
  QUERN_SIMD I32x16 where_top_two(I32x16 x, I32x16 yes, I32x16 no) {
    return each<I32x16>(QUERN_PART(i) {
      const uint8x16_t top = vcgeq_u8(vreinterpretq_u8_s32(x.q[i]), vdupq_n_u8(192));
      return vbslq_s32(vreinterpretq_u32_u8(top), yes.q[i], no.q[i]);
    });
  }

  static constexpr bool kReadsPacked = true;
  static constexpr bool kMultipliesPairs = false;
  static constexpr int kProbeChains = 6;
  static constexpr int kTileStrips = 1, kTileRows = 4, kFloatTileRows = 6;
  static constexpr int kWideStrips = 1, kWideRows = 6;

 protected:
  QUERN_SIMD uint8x16_t bytes16(const void* p, int i) {
    return vld1q_u8(static_cast<const uint8_t*>(p) + 16 * i);
  }

 private:
  QUERN_SIMD float32x4_t larger(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
  }
  QUERN_SIMD float32x4_t smaller(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
  }
  // Pairs of products stay below 2^15: 2 * 128 * 127.
  QUERN_SIMD int32x4_t dot4(int32x4_t sum, uint8x16_t codes, int32x4_t four) {
    const int8x16_t w = vreinterpretq_s8_u8(codes), a = vreinterpretq_s8_s32(four);
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a));
    return vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(w, a)));
  }
};

}  // namespace quern::cpu
