// Keys and values in int8 with one bf16 scale per token and 64 dims, for attention_fast.h; all
// arithmetic in f32 on code * scale. Per kv head (dim padded to 16 as P, groups of 64 dims as G):
//   keys    [dim][64 tokens], then scales [G][64 tokens]
//   values  [64 tokens][P], then scales [G][64 tokens]
// Queries and keys are rotated by a Hadamard matrix first (rotate_dims): scores stay the same and
// no dim stands out, so the keys' scales fit them better.
#pragma once
#include <cstdint>

#include "backend/cpu/kv_f16.h"

namespace quern::cpu {

template <class V>
struct Int8Kv : FloatKv<V> {
  using F32x16 = typename V::F32x16;
  static constexpr int kGroup = 64;  // dims of a scale
  static constexpr int kGroupSteps = kGroup, kGroupStrips = kGroup / 16;
  static constexpr int kStepBytes = kPageTokens;
  static constexpr bool kRotated = true;

  static int64_t key_bytes(int dim) {
    return kPageTokens * (dim + 2 * padded_to<kGroup>(dim) / kGroup);
  }
  static int64_t value_bytes(int dim) {
    return kPageTokens * (padded_to<16>(dim) + 2 * padded_to<kGroup>(dim) / kGroup);
  }
  static int64_t value_step_bytes(int dim) { return padded_to<16>(dim); }

  static void append_key(const float* k, int dim, std::byte* keys, int slot) {
    append(k, dim, dim, keys, slot, kPageTokens, slot);
  }
  static void append_value(const float* v, int dim, std::byte* values, int slot) {
    append(v, dim, padded_to<16>(dim), values, slot * padded_to<16>(dim), 1, slot);
  }

  template <int kStrips>
  struct Keys {
    const int8_t* at;
    F32x16 scale[kStrips];
    QUERN_SIMD Keys start(const std::byte* keys, int dim, int strip, int step) {
      Keys k;
      k.at = reinterpret_cast<const int8_t*>(keys) + 16 * strip;
      const uint16_t* scales = scales_of(keys, dim) + step / kGroup * kPageTokens + 16 * strip;
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) k.scale[s] = V::load_bf16(scales + 16 * s);
      return k;
    }
    QUERN_SIMD F32x16 load(const Keys& k, int step, int s) {
      return V::mul(V::to_float(V::load_i8(k.at + step * kPageTokens + 16 * s)), k.scale[s]);
    }
  };
  template <int kStrips>
  struct Values {
    const int8_t* at;
    int64_t stride;
    const uint16_t* scales;
    struct Step {
      const int8_t* at;
      F32x16 scale;
    };
    QUERN_SIMD Values start(const std::byte* values, int dim, int strip) {
      return {reinterpret_cast<const int8_t*>(values) + 16 * strip, padded_to<16>(dim),
              scales_of(values, padded_to<16>(dim)) + 16 * strip / kGroup * kPageTokens};
    }
    QUERN_SIMD Step step(const Values& v, int i) {
      return {v.at + i * v.stride, V::fill(bf16_value(v.scales[i]))};
    }
    QUERN_SIMD F32x16 load(const Step& step, int s) {
      return V::mul(V::to_float(V::load_i8(step.at + 16 * s)), step.scale);
    }
  };

 private:
  QUERN_SIMD const uint16_t* scales_of(const std::byte* codes, int64_t dims) {
    return reinterpret_cast<const uint16_t*>(codes + kPageTokens * dims);
  }
  // Codes stand at codes[first + d * stride]; dims behind dim are not written.
  static void append(const float* x, int dim, int64_t dims, std::byte* codes, int64_t first,
                     int64_t stride, int slot) {
    auto* to = reinterpret_cast<int8_t*>(codes) + first;
    auto* scales = reinterpret_cast<uint16_t*>(codes + kPageTokens * dims) + slot;
    for (int g = 0; g < dim; g += kGroup) {
      const int n = smaller(kGroup, dim - g);
      F32x16 largest = V::fill(0);
      for (int d = 0; d < n; d += 16)
        largest = V::max(V::abs(load_up_to<V>(x + g + d, n - d)), largest);
      const uint16_t scale = bf16_nearest(V::largest(largest) / 127);
      const float used = bf16_value(scale);
      const F32x16 factor = V::fill(used > 0x1p-120f ? 1 / used : 0);
      scales[g / kGroup * kPageTokens] = scale;
      for (int d = 0; d < n; d += 16) {
        const F32x16 scaled = V::mul(load_up_to<V>(x + g + d, n - d), factor);
        int8_t code[16];
        V::store_i8(code, V::round_to_int(V::max(V::fill(-127), V::min(V::fill(127), scaled))));
        for (int i = 0; i < smaller(16, n - d); ++i) to[(g + d + i) * stride] = code[i];
      }
    }
  }
};

}  // namespace quern::cpu
