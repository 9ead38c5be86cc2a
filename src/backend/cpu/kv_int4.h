// Keys and values in 4 bits with a bf16 scale and minimum per token and 32 dims, for
// attention_fast.h; all arithmetic in f32 on minimum + code * scale. Much coarser than int8: only
// by request. Per kv head (groups of 32 dims as G, their number, dims padded to it as D):
//   keys    [dim / 2][64 tokens]: dim 2i low, 2i + 1 high; then scales, minima [G][64 tokens]
//   values  [64 tokens][D / 2]: byte i of a group holds its dims i low and 16 + i high; likewise
// Queries and keys are rotated as for int8.
#pragma once
#include <cstdint>

#include "backend/cpu/kv_f16.h"

namespace quern::cpu {

template <class V>
struct Int4Kv : FloatKv<V> {
  using F32x16 = typename V::F32x16;
  using I32x16 = typename V::I32x16;
  static constexpr int kGroup = 32;
  static constexpr int kGroupSteps = kGroup, kGroupStrips = kGroup / 16;
  static constexpr int kStepBytes = kPageTokens / 2;
  static constexpr bool kRotated = true;

  static int64_t key_bytes(int dim) {
    return padded_to<64>(kPageTokens * (dim / 2 + 4 * padded_to<kGroup>(dim) / kGroup));
  }
  static int64_t value_bytes(int dim) {
    return kPageTokens * (padded_to<kGroup>(dim) / 2 + 4 * padded_to<kGroup>(dim) / kGroup);
  }
  static int64_t value_step_bytes(int dim) { return padded_to<kGroup>(dim) / 2; }

  static void append_key(const float* k, int dim, std::byte* keys, int slot) {
    auto* steps = reinterpret_cast<uint16_t*>(keys + kPageTokens * (dim / 2)) + slot;
    for (int g = 0; g < dim; g += kGroup) {
      uint8_t code[kGroup];
      quantize(k + g, smaller(kGroup, dim - g), code, steps, g, dim);
      for (int d = 0; d < smaller(kGroup, dim - g); d += 2)
        keys[(g + d) / 2 * kPageTokens + slot] = static_cast<std::byte>(code[d] | code[d + 1] << 4);
    }
  }
  static void append_value(const float* v, int dim, std::byte* values, int slot) {
    const int64_t row = padded_to<kGroup>(dim) / 2;
    auto* steps = reinterpret_cast<uint16_t*>(values + kPageTokens * row) + slot;
    for (int g = 0; g < dim; g += kGroup) {
      uint8_t code[kGroup];
      quantize(v + g, smaller(kGroup, dim - g), code, steps, g, dim);
      for (int i = 0; i < 16; ++i)
        values[slot * row + g / 2 + i] = static_cast<std::byte>(code[i] | code[16 + i] << 4);
    }
  }

  template <int kStrips>
  struct Keys {
    const int8_t* at;
    F32x16 scale[kStrips], minimum[kStrips];
    QUERN_SIMD Keys start(const std::byte* keys, int dim, int strip, int step) {
      Keys k;
      k.at = reinterpret_cast<const int8_t*>(keys) + 16 * strip;
      const auto* scales = reinterpret_cast<const uint16_t*>(keys + kPageTokens * (dim / 2)) +
                           step / kGroup * kPageTokens + 16 * strip;
      const uint16_t* minima = scales + padded_to<kGroup>(dim) / kGroup * kPageTokens;
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        k.scale[s] = V::load_bf16(scales + 16 * s);
        k.minimum[s] = V::load_bf16(minima + 16 * s);
      }
      return k;
    }
    QUERN_SIMD F32x16 load(const Keys& k, int step, int s) {
      const I32x16 pair = V::load_i8(k.at + step / 2 * kPageTokens + 16 * s);
      return V::fma(V::to_float(nibble(pair, step % 2)), k.scale[s], k.minimum[s]);
    }
  };
  template <int kStrips>
  struct Values {
    const int8_t* at;
    int64_t stride;
    int strip;
    const uint16_t *scales, *minima;  // of the first group and token
    struct Step {
      const int8_t* at;
      int strip;
      F32x16 scale[kStrips], minimum[kStrips];
    };
    QUERN_SIMD Values start(const std::byte* values, int dim, int strip) {
      const int64_t row = padded_to<kGroup>(dim) / 2, groups = padded_to<kGroup>(dim) / kGroup;
      const auto* scales = reinterpret_cast<const uint16_t*>(values + kPageTokens * row) +
                           strip / kGroupStrips * kPageTokens;
      return {reinterpret_cast<const int8_t*>(values) + strip / kGroupStrips * 16, row,
              strip % kGroupStrips, scales, scales + groups * kPageTokens};
    }
    QUERN_SIMD Step step(const Values& v, int i) {
      Step step;
      step.at = v.at + i * v.stride;
      step.strip = v.strip;
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        const int group = (v.strip + s) / kGroupStrips * kPageTokens + i;
        step.scale[s] = V::fill(bf16_value(v.scales[group]));
        step.minimum[s] = V::fill(bf16_value(v.minima[group]));
      }
      return step;
    }
    QUERN_SIMD F32x16 load(const Step& step, int s) {
      const int strip = step.strip + s;
      const I32x16 pair = V::load_i8(step.at + strip / kGroupStrips * 16);
      return V::fma(V::to_float(nibble(pair, strip % kGroupStrips)), step.scale[s],
                    step.minimum[s]);
    }
  };

 private:
  QUERN_SIMD I32x16 nibble(I32x16 pair, int high) {
    return V::bit_and(high ? V::template shift_right<4>(pair) : pair, V::fill_i32(15));
  }
  // n numbers to codes, zeros behind them; scale and minimum to their places among those of dim.
  static void quantize(const float* x, int n, uint8_t* code, uint16_t* steps, int g, int dim) {
    float least = x[0], most = x[0];
    for (int i = 1; i < n; ++i) {
      least = x[i] < least ? x[i] : least;
      most = x[i] > most ? x[i] : most;
    }
    const uint16_t minimum = bf16_nearest(least);
    const float from = bf16_value(minimum);
    const uint16_t scale = bf16_nearest(most > from ? (most - from) / 15 : 0);
    const float step = bf16_value(scale);
    const int64_t groups = padded_to<kGroup>(dim) / kGroup;
    steps[g / kGroup * kPageTokens] = scale;
    steps[(groups + g / kGroup) * kPageTokens] = minimum;
    for (int i = 0; i < kGroup; ++i) {
      const float scaled = i < n && step > 0 ? (x[i] - from) / step : 0;
      code[i] = static_cast<uint8_t>(scaled <= 0 ? 0 : scaled >= 15 ? 15 : scaled + 0.5f);
    }
  }
};

}  // namespace quern::cpu
