// Shared by all attention kernels: the rows of a call, the tokens a row sees.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/attention.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

inline constexpr int kTileRows = 4;  // query rows that share one reading of keys and values

// Rows of a call are (token, head of the group) flattened: row r is token r / group.
QUERN_SIMD int group_of(const AttentionShape& shape) { return shape.n_heads / shape.n_kv_heads; }
template <int kTo>
QUERN_SIMD constexpr int64_t padded_to(int64_t n) {
  return (n + kTo - 1) / kTo * kTo;
}
// Of values and outputs.
QUERN_SIMD int64_t padded_dim(const AttentionShape& shape) {
  return padded_to<16>(value_dim_of(shape));
}
QUERN_SIMD constexpr int smaller(int a, int b) { return a < b ? a : b; }
QUERN_SIMD constexpr int larger(int a, int b) { return a > b ? a : b; }

// First position that the row at `position` sees.
QUERN_SIMD int first_seen(const AttentionShape& shape, int position) {
  return shape.window > 0 ? larger(0, position - shape.window + 1) : 0;
}

// Tokens [low, high) of a page are seen by a row.
struct Seen {
  int low, high;
};
QUERN_SIMD Seen seen_of(const AttentionShape& shape, int position, int page_start) {
  return {larger(0, first_seen(shape, position) - page_start),
          smaller(kPageTokens, position - page_start + 1)};
}

// 16 floats at p of which n exist, zeros behind them; and their storing.
template <class V>
QUERN_SIMD typename V::F32x16 load_up_to(const float* p, int64_t n) {
  return n >= 16 ? V::load(p) : V::load_part(p, n < 0 ? 0 : n);
}
template <class V>
QUERN_SIMD void store_up_to(float* p, typename V::F32x16 x, int64_t n) {
  n >= 16 ? V::store(p, x) : V::store_part(p, n, x);
}

// The lanes of strip `strip` (16 tokens) of a page that a row sees; `other` elsewhere.
template <class V>
QUERN_SIMD typename V::F32x16 only_seen(typename V::F32x16 x, Seen seen, int strip, float other) {
  const auto rest = V::fill(other);
  const auto below = V::select(V::first(seen.high - 16 * strip), x, rest);
  return V::select(V::first(seen.low - 16 * strip), rest, below);
}

// Values of 16 bits as attention_fast.h walks them, a step's kStrip numbers for every 16 dims.
template <int kStrip>
struct HalfValues {
  const uint16_t* at;
  int64_t stride;
  struct Step {
    const uint16_t* at;
  };
  QUERN_SIMD HalfValues start(const std::byte* values, int dim, int strip) {
    return {reinterpret_cast<const uint16_t*>(values) + kStrip * strip,
            kStrip / 16 * padded_to<16>(dim)};
  }
  QUERN_SIMD Step step(const HalfValues& v, int i) { return {v.at + i * v.stride}; }
};

// One bf16, as in base/float16.h.
QUERN_SIMD float bf16_value(uint16_t bits) {
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float f;
  std::memcpy(&f, &word, sizeof f);
  return f;
}
QUERN_SIMD uint16_t bf16_nearest(float f) {
  uint32_t word;
  std::memcpy(&word, &f, sizeof f);
  return static_cast<uint16_t>((word + 0x7fff + (word >> 16 & 1)) >> 16);
}

// Multiplies by an orthogonal Hadamard matrix, in blocks of the largest power of two up to 64 that
// divides dim. Its own inverse; dot products of two such vectors are as before, up to rounding.
template <class V>
void rotate_dims(float* x, int dim) {
  int block = 64;
  while (dim % block) block /= 2;
  const float norm = 1 / __builtin_sqrtf(static_cast<float>(block));
  for (int d = 0; d < dim; d += block)
    for (int half = 1; half < block; half *= 2)
      for (int i = 0; i < block; i += 2 * half)
        for (int j = d + i; j < d + i + half; ++j) {
          const float a = x[j], b = x[j + half];
          x[j] = a + b;
          x[j + half] = a - b;
        }
  for (int d = 0; d < dim; ++d) x[d] *= norm;
}

}  // namespace quern::cpu
