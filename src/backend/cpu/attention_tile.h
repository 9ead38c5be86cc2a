// What both kinds of attention share: the rows of a call, the tokens a row sees, e to the x.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/attention.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

inline constexpr int kTileRows = 4;  // query rows that share one reading of keys and values

// Rows of a call are (token, head of the group) flattened: row r is token r / group.
QUERN_SIMD int group_of(const AttentionShape& shape) { return shape.n_heads / shape.n_kv_heads; }
QUERN_SIMD int64_t padded_dim(const AttentionShape& shape) {
  return (static_cast<int64_t>(shape.head_dim) + 15) / 16 * 16;
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

// 16 floats at p of which n exist; zeros behind them.
template <class V>
QUERN_SIMD typename V::F32x16 load_part(const float* p, int64_t n) {
  if (n >= 16) return V::load(p);
  float part[16] = {};
  for (int64_t i = 0; i < n; ++i) part[i] = p[i];
  return V::load(part);
}
template <class V>
QUERN_SIMD void store_part(float* p, typename V::F32x16 x, int64_t n) {
  if (n >= 16) return V::store(p, x);
  float part[16];
  V::store(part, x);
  for (int64_t i = 0; i < n; ++i) p[i] = part[i];
}

// The lanes of strip `strip` (16 tokens) of a page that a row sees; `other` elsewhere.
template <class V>
QUERN_SIMD typename V::F32x16 only_seen(typename V::F32x16 x, Seen seen, int strip, float other) {
  const auto rest = V::fill(other);
  const auto below = V::select(V::first(seen.high - 16 * strip), x, rest);
  return V::select(V::first(seen.low - 16 * strip), rest, below);
}

// 1.5 * 2^23: adding it rounds a float of magnitude below 2^22 to an integer, which then stands in
// the low bits.
inline constexpr float kRounder = 12582912.0f;
inline constexpr int32_t kRounderBits = 0x4b400000;

// 2^(x - m), shift = kRounder - m with m an even integer, |x| and |m| below 2^22; results below
// 2^-125 become about that. Relative error 2.7e-6. m even: otherwise ties of the rounding, and so
// the last bits, would depend on m.
template <class V>
QUERN_SIMD typename V::F32x16 power_of_two(typename V::F32x16 x, typename V::F32x16 shift) {
  const auto t = V::add(x, shift);
  const auto f = V::sub(x, V::sub(t, shift));
  // Minimax of degree 4 for 2^f, f in [-1/2, 1/2].
  auto p = V::fma(f, V::fill(0.00957010191f), V::fill(0.0559178603f));
  p = V::fma(p, f, V::fill(0.240247448f));
  p = V::fma(p, f, V::fill(0.693121815f));
  p = V::fma(p, f, V::fill(0.999999261f));
  const auto exponent = V::max(V::as_int(t), V::fill_i32(kRounderBits - 125));
  return V::as_float(V::add(V::as_int(p), V::template shift_left<23>(exponent)));
}

// e^x for x <= 0 to about 1e-7 relative; below -87 it stays at e^-87.
template <class V>
QUERN_SIMD typename V::F32x16 exp_of_negative(typename V::F32x16 negative) {
  const auto x = V::max(negative, V::fill(-87.0f));
  const auto t = V::fma(x, V::fill(1.44269504f), V::fill(kRounder));
  const auto n = V::sub(t, V::fill(kRounder));
  // x - n ln 2 in two steps; n * 0.693359375 is exact.
  auto f = V::fma(n, V::fill(-0.693359375f), x);
  f = V::fma(n, V::fill(2.12194440e-4f), f);
  // Taylor's series: its next term is below 1.3e-8 for |f| <= ln 2 / 2.
  auto p = V::fma(f, V::fill(1.0f / 5040), V::fill(1.0f / 720));
  p = V::fma(p, f, V::fill(1.0f / 120));
  p = V::fma(p, f, V::fill(1.0f / 24));
  p = V::fma(p, f, V::fill(1.0f / 6));
  p = V::fma(p, f, V::fill(0.5f));
  p = V::fma(p, f, V::fill(1.0f));
  p = V::fma(p, f, V::fill(1.0f));
  return V::as_float(V::add(V::as_int(p), V::template shift_left<23>(V::as_int(t))));
}

}  // namespace quern::cpu
