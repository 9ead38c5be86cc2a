// Keys and values in f16, for attention_fast.h; all arithmetic in f32. Per kv head (dim padded to
// 16 as P): keys [dim][64 tokens], values [64 tokens][P]. Values beyond f16's range become the
// largest of it: infinity would turn into NaN where it meets the weight 0 of a token not seen.
#pragma once
#include <cstdint>

#include "backend/cpu/attention_tile.h"

namespace quern::cpu {

// Shared by the kinds whose queries and weights stay f32.
template <class V>
struct FloatKv {
  using F32x16 = typename V::F32x16;
  using Number = float;
  using Vector = F32x16;
  static constexpr int kPerStep = 1;

  QUERN_SIMD void store(Number* out, F32x16 low, F32x16 high) {
    V::store(out, low);
    V::store(out + 16, high);
  }
  QUERN_SIMD F32x16 store_and_add(Number* out, F32x16 low, F32x16 high, F32x16 sum) {
    store(out, low, high);
    return V::add(V::add(sum, low), high);
  }
  QUERN_SIMD F32x16 dot(F32x16 sum, Vector a, Number b) { return V::fma(a, V::fill(b), sum); }
};

template <class V>
struct F16Kv : FloatKv<V> {
  using F32x16 = typename V::F32x16;
  static constexpr int kGroupSteps = 1 << 30, kGroupStrips = 1 << 30;
  static constexpr int kStepBytes = 2 * kPageTokens;
  static constexpr bool kRotated = false;

  static int64_t key_bytes(int dim) { return int64_t{2} * kPageTokens * dim; }
  static int64_t value_bytes(int dim) { return 2 * kPageTokens * padded_to<16>(dim); }
  static int64_t value_step_bytes(int dim) { return 2 * padded_to<16>(dim); }

  static void append_key(const float* k, int dim, std::byte* keys, int slot) {
    auto* to = reinterpret_cast<uint16_t*>(keys) + slot;
    for (int d = 0; d < dim; d += 16) {
      uint16_t rounded[16];
      V::store_f16(rounded, bounded(load_up_to<V>(k + d, dim - d)));
      for (int i = 0; i < smaller(16, dim - d); ++i) to[(d + i) * kPageTokens] = rounded[i];
    }
  }
  static void append_value(const float* v, int dim, std::byte* values, int slot) {
    auto* to = reinterpret_cast<uint16_t*>(values) + slot * padded_to<16>(dim);
    for (int d = 0; d < dim; d += 16) V::store_f16(to + d, bounded(load_up_to<V>(v + d, dim - d)));
  }

  template <int kStrips>
  struct Keys {
    const uint16_t* at;
    QUERN_SIMD Keys start(const std::byte* keys, int, int strip, int) {
      return {reinterpret_cast<const uint16_t*>(keys) + 16 * strip};
    }
    QUERN_SIMD F32x16 load(const Keys& k, int step, int s) {
      return V::load_f16(k.at + step * kPageTokens + 16 * s);
    }
  };
  template <int kStrips>
  struct Values : HalfValues<16> {
    QUERN_SIMD F32x16 load(const Step& step, int s) { return V::load_f16(step.at + 16 * s); }
  };

 private:
  QUERN_SIMD F32x16 bounded(F32x16 x) {
    return V::max(V::fill(-65504.0f), V::min(V::fill(65504.0f), x));
  }
};

}  // namespace quern::cpu
