// Keys and values in bf16, for attention_fast.h. Per kv head (dim padded to 16 as P):
//   keys    [dim / 2][64 tokens][2]      a vector is 16 tokens x 2 dims
//   values  [32 token pairs][P][2]       a vector is 16 dims x 2 tokens
// Queries and weights are rounded to bf16 too; sums are f32.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/simd/bf16_pairs.h"

namespace quern::cpu {

template <class V>
struct Bf16Kv {
  using F32x16 = typename V::F32x16;
  using B = Bf16Pairs<V>;
  using Number = typename B::Pair;    // of queries and weights
  using Vector = typename B::Vector;  // of keys and values
  static constexpr int kPerStep = 2;  // dims of a key, tokens of a value that one step takes
  static constexpr int kGroupSteps = 1 << 30;         // of a key that share what Keys holds
  static constexpr int kGroupStrips = 1 << 30;        // of a value that share what Values holds
  static constexpr int kStepBytes = 4 * kPageTokens;  // of keys
  static constexpr bool kRotated = false;

  static int64_t key_bytes(int dim) { return int64_t{2} * kPageTokens * dim; }
  static int64_t value_bytes(int dim) { return 2 * kPageTokens * padded_to<16>(dim); }
  static int64_t value_step_bytes(int dim) { return 4 * padded_to<16>(dim); }

  static void append_key(const float* k, int dim, std::byte* keys, int slot) {
    for (int d = 0; d < dim; d += 16) {
      uint16_t rounded[16];
      V::store_bf16(rounded, load_up_to<V>(k + d, dim - d));
      for (int i = 0; i < smaller(16, dim - d); i += 2)
        std::memcpy(keys + ((d + i) * kPageTokens + 2 * slot) * 2, rounded + i, 4);
    }
  }
  static void append_value(const float* v, int dim, std::byte* values, int slot) {
    auto* to = reinterpret_cast<uint16_t*>(values) + slot / 2 * 2 * padded_to<16>(dim) + slot % 2;
    for (int d = 0; d < dim; d += 16) {
      uint16_t rounded[16];
      V::store_bf16(rounded, load_up_to<V>(v + d, dim - d));
      for (int i = 0; i < 16; ++i) to[2 * (d + i)] = rounded[i];
    }
  }

  // 32 numbers of a query; and of weights, adding what they were rounded to.
  QUERN_SIMD void store(Number* out, F32x16 low, F32x16 high) { B::store(out, low, high); }
  QUERN_SIMD F32x16 store_and_add(Number* out, F32x16 low, F32x16 high, F32x16 sum) {
    return B::store_and_add(out, low, high, sum);
  }
  QUERN_SIMD F32x16 dot(F32x16 sum, Vector a, const Number& b) { return B::dot(sum, a, b); }

  // The keys of kStrips x 16 tokens from strip `strip` on.
  template <int kStrips>
  struct Keys {
    const uint16_t* at;
    QUERN_SIMD Keys start(const std::byte* keys, int, int strip, int) {
      return {reinterpret_cast<const uint16_t*>(keys) + 32 * strip};
    }
    QUERN_SIMD Vector load(const Keys& k, int step, int s) {
      return B::load(k.at + step * 2 * kPageTokens + 32 * s);
    }
  };
  // The values of kStrips x 16 dims from strip `strip` on.
  template <int kStrips>
  struct Values : HalfValues<32> {
    QUERN_SIMD Vector load(const Step& step, int s) { return B::load(step.at + 32 * s); }
  };
};

}  // namespace quern::cpu
