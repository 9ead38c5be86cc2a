// Fast attention: keys, values, queries and weights in bf16, sums in f32. Written once over the
// vocabulary V of simd/<isa>.h.
//
// Page, per kv head (dim padded to 16 as P):
//   keys    [dim / 2][64 tokens][2]      a vector is 16 tokens x 2 dims
//   values  [32 token pairs][P][2]       a vector is 16 dims x 2 tokens
// Rows (token, head of the group) go in tiles of 4. For each page, first the scores and weights of
// all tiles (the keys stay in L1), then their sums of values. Scores carry the factor log2 e.
//
// Why a row's bits depend on the row alone: a score is one chain over ascending dims, an output one
// chain over ascending token pairs, the sum of weights 16 such chains joined at the end;
// tokens not seen add exact zeros. The running maximum is an even integer, moved only when a score
// exceeds it by 2^24, and moving it multiplies by an exact power of two.
// Scores must stay below 2^22 in magnitude, else the row is wrong (though finite).
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/simd/bf16_pairs.h"

namespace quern::cpu {

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

template <class V>
class FastAttention {
 public:
  static constexpr AttentionKernels kernels() {
    return {page_bytes, append, attend, scratch_bytes};
  }

 private:
  using F32x16 = typename V::F32x16;
  using B = Bf16Pairs<V>;
  using Pair = typename B::Pair;
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  static constexpr float kSlack = 24;  // powers of two a score may exceed the running maximum
  static constexpr int kPagePairs = kPageTokens / 2;

  static int64_t key_bytes(const AttentionShape& shape) {
    return int64_t{2} * kPageTokens * shape.head_dim;
  }
  static int64_t head_bytes(const AttentionShape& shape) {
    return key_bytes(shape) + 2 * kPageTokens * padded_dim(shape);
  }
  static int64_t page_bytes(const AttentionShape& shape) {
    return shape.n_kv_heads * head_bytes(shape);
  }

  static void append(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
                     int slot) {
    const int64_t dim = shape.head_dim, padded = padded_dim(shape);
    for (int head = 0; head < shape.n_kv_heads; ++head, k += dim, v += dim) {
      auto* keys = reinterpret_cast<uint16_t*>(page + head * head_bytes(shape));
      auto* values = keys + kPageTokens * dim + slot / 2 * 2 * padded + slot % 2;
      for (int64_t d = 0; d < dim; d += 16) {
        uint16_t rounded[16];
        V::store_bf16(rounded, load_up_to<V>(k + d, dim - d));
        const int n = dim - d < 16 ? static_cast<int>(dim - d) : 16;
        for (int i = 0; i < n; i += 2)
          std::memcpy(keys + (d + i) * kPageTokens + 2 * slot, rounded + i, 4);
        V::store_bf16(rounded, load_up_to<V>(v + d, dim - d));
        for (int i = 0; i < 16; ++i) values[2 * (d + i)] = rounded[i];
      }
    }
  }

  // Four rows under way; all memory in the scratch of the caller.
  struct Tile {
    Pair* q;         // (4, q_pairs): times scale * log2 e
    float* out;      // (4, P): sums of weight * value
    float* sums;     // (4, 16): of weights, in 16 parts
    Pair* weights;   // (4, 32): of the page at hand
    float* shift;    // (4): kRounder - running maximum
    float* limit;    // (4): running maximum + kSlack; kLowest: nothing seen yet
    int* positions;  // (4)
    int n_rows;
  };

  // One call of attend on at most attention_rows(shape) tokens.
  struct Call {
    const AttentionShape& shape;
    const LayerCache& cache;
    std::span<const int32_t> pages;
    const float* q;
    float* out;
    int64_t q_stride, out_stride;
    int position, n_rows, kv_head;  // n_rows: flattened
    std::byte* scratch;
  };

  static int64_t q_pairs(const AttentionShape& shape) { return (shape.head_dim + 31) / 32 * 16; }
  static int64_t tile_bytes(const AttentionShape& shape) {
    const int64_t pairs = kTileRows * (q_pairs(shape) + kPagePairs);
    const int64_t floats = kTileRows * (padded_dim(shape) + 16) + 16;
    return (pairs * sizeof(Pair) + floats * 4 + 63) / 64 * 64;
  }
  static int64_t scratch_bytes(const AttentionShape& shape, int n_rows) {
    const int64_t tokens = smaller(n_rows, attention_rows(shape));
    return (tokens * group_of(shape) + kTileRows - 1) / kTileRows * tile_bytes(shape);
  }

  static Tile tile_at(const Call& call, int index) {
    Tile t;
    auto* p = reinterpret_cast<Pair*>(call.scratch + index * tile_bytes(call.shape));
    t.q = p;
    t.weights = t.q + kTileRows * q_pairs(call.shape);
    t.out = reinterpret_cast<float*>(t.weights + kTileRows * kPagePairs);
    t.sums = t.out + kTileRows * padded_dim(call.shape);
    t.shift = t.sums + kTileRows * 16;
    t.limit = t.shift + kTileRows;
    t.positions = reinterpret_cast<int*>(t.limit + kTileRows);
    t.n_rows = smaller(kTileRows, call.n_rows - index * kTileRows);
    return t;
  }

  static void attend(const AttentionShape& shape, const LayerCache& cache,
                     std::span<const int32_t> pages, int position, const float* q, int64_t q_stride,
                     int n_rows, int kv_head, float* out, int64_t out_stride, std::byte* scratch) {
    const int block = attention_rows(shape);
    for (int first = 0; first < n_rows; first += block) {
      const int n = smaller(block, n_rows - first) * group_of(shape);
      const Call call{shape,
                      cache,
                      pages,
                      q + first * q_stride,
                      out + first * out_stride,
                      q_stride,
                      out_stride,
                      position + first,
                      n,
                      kv_head,
                      scratch};
      attend_block(call);
    }
  }

  static void attend_block(const Call& call) {
    const int n_tiles = (call.n_rows + kTileRows - 1) / kTileRows;
    for (int i = 0; i < n_tiles; ++i) begin_tile(call, i);
    const int last = call.position + (call.n_rows - 1) / group_of(call.shape);
    const int last_page = last / kPageTokens;
    // Few tiles wait for memory: the first one asks for the values while it reads the keys, and for
    // the next page's keys while it reads the values. More tiles work long enough on a page.
    const bool ask = n_tiles <= 2;
    for (int page = first_seen(call.shape, call.position) / kPageTokens; page <= last_page;
         ++page) {
      const int start = page * kPageTokens;
      const uint16_t* keys = keys_of(call, page);
      const uint16_t* values = keys + kPageTokens * call.shape.head_dim;
      const uint16_t* next = keys_of(call, smaller(page + 1, last_page));
      for (int i = 0; i < n_tiles; ++i) {
        const Tile tile = tile_at(call, i);
        if (sees(call.shape, tile, start))
          weigh(call.shape, tile, keys, ask && i == 0 ? values : nullptr, start);
      }
      for (int i = 0; i < n_tiles; ++i) {
        const Tile tile = tile_at(call, i);
        if (sees(call.shape, tile, start))
          add_values(call.shape, tile, values, ask && i == 0 ? next : nullptr, start);
      }
    }
    for (int i = 0; i < n_tiles; ++i) end_tile(call, i);
  }

  static const uint16_t* keys_of(const Call& call, int page) {
    return reinterpret_cast<const uint16_t*>(call.cache.base +
                                             call.pages.data()[page] * call.cache.stride +
                                             call.kv_head * head_bytes(call.shape));
  }

  // Where row r of tile `index` stands in q and out.
  static int64_t offset(const Call& call, int index, int r, int64_t stride) {
    const int row = index * kTileRows + r, group = group_of(call.shape);
    return row / group * stride + int64_t{call.kv_head * group + row % group} * call.shape.head_dim;
  }

  static void begin_tile(const Call& call, int index) {
    const Tile t = tile_at(call, index);
    const int64_t dim = call.shape.head_dim, padded = padded_dim(call.shape);
    // With a soft cap the scores come out over the cap, to go through tanh.
    const float scale = call.shape.softcap > 0 ? call.shape.scale / call.shape.softcap
                                               : call.shape.scale * 1.44269504f;
    const F32x16 factor = V::fill(scale);
    for (int r = 0; r < t.n_rows; ++r) {
      const float* q = call.q + offset(call, index, r, call.q_stride);
      for (int64_t d = 0; d < dim; d += 32)
        B::store(t.q + r * q_pairs(call.shape) + d / 2,
                 V::mul(load_up_to<V>(q + d, dim - d), factor),
                 V::mul(load_up_to<V>(q + d + 16, dim - d - 16), factor));
      for (int64_t d = 0; d < padded; d += 16) V::store(t.out + r * padded + d, V::fill(0));
      V::store(t.sums + 16 * r, V::fill(0));
      t.shift[r] = kRounder;
      t.limit[r] = kLowest;
      t.positions[r] = call.position + (index * kTileRows + r) / group_of(call.shape);
    }
  }

  static void end_tile(const Call& call, int index) {
    const Tile t = tile_at(call, index);
    const int64_t dim = call.shape.head_dim, padded = padded_dim(call.shape);
    for (int r = 0; r < t.n_rows; ++r) {
      float* out = call.out + offset(call, index, r, call.out_stride);
      const F32x16 factor = V::fill(1.0f / V::total(V::load(t.sums + 16 * r)));
      for (int64_t d = 0; d < dim; d += 16)
        store_up_to<V>(out + d, V::mul(V::load(t.out + r * padded + d), factor), dim - d);
    }
  }

  // Whether any row of the tile sees any token of the page; positions ascend.
  static bool sees(const AttentionShape& shape, const Tile& t, int start) {
    return t.positions[t.n_rows - 1] >= start &&
           first_seen(shape, t.positions[0]) < start + kPageTokens;
  }
  // Strips of 16 tokens of the page that some row sees the first of.
  static int strips_seen(const Tile& t, int start) {
    return smaller(kPageTokens - 1, t.positions[t.n_rows - 1] - start) / 16 + 1;
  }

  // Scores of kRows rows and kStrips strips from `k` on (the first strip's keys). kAhead: what lies
  // `ahead` of the keys will be read soon.
  template <int kRows, int kStrips, bool kAhead>
  static void score_strips(const Pair* q, int64_t q_stride, const uint16_t* k, int64_t ahead,
                           int n_pairs, float* scores) {
    F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        sum[r][s] = V::fill(0);
    for (int d = 0; d < n_pairs; ++d, k += 2 * kPageTokens) {
      typename B::Vector key[kStrips];
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        key[s] = B::load(k + 32 * s);
        if (kAhead) V::prefetch(k + 32 * s + ahead);
      }
      QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
          sum[r][s] = B::dot(sum[r][s], key[s], q[r * q_stride + d]);
    }
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        V::store(scores + r * kPageTokens + 16 * s, sum[r][s]);
  }

  // The first n_strips strips, as many at a time as the registers hold.
  template <int kRows, bool kAhead, int kAtOnce = V::kAttentionStrips>
  static void score(const Pair* q, int64_t q_stride, const uint16_t* k, int64_t ahead, int n_pairs,
                    int n_strips, float* scores) {
    int strip = 0;
    for (; strip + kAtOnce <= n_strips; strip += kAtOnce)
      score_strips<kRows, kAtOnce, kAhead>(q, q_stride, k + 32 * strip, ahead, n_pairs,
                                           scores + 16 * strip);
    if constexpr (kAtOnce > 1)
      if (strip < n_strips)
        score<kRows, kAhead, kAtOnce / 2>(q, q_stride, k + 32 * strip, ahead, n_pairs,
                                          n_strips - strip, scores + 16 * strip);
  }

  // Scores and weights of a tile on one page. next: what to fetch meanwhile, laid out alike; or
  // null.
  static void weigh(const AttentionShape& shape, const Tile& t, const uint16_t* keys,
                    const uint16_t* next, int start) {
    alignas(64) float scores[kTileRows * kPageTokens];
    const int n_strips = strips_seen(t, start), n_pairs = shape.head_dim / 2;
    static constexpr decltype(&score<1, true>) kScore[2][kTileRows] = {
        {score<1, false>, score<2, false>, score<3, false>, score<4, false>},
        {score<1, true>, score<2, true>, score<3, true>, score<4, true>}};
    kScore[next != nullptr][t.n_rows - 1](t.q, q_pairs(shape), keys, next ? next - keys : 0,
                                          n_pairs, n_strips, scores);
    for (int r = 0; r < t.n_rows; ++r) {
      float* row = scores + r * kPageTokens;
      if (shape.softcap > 0) cap(row, n_strips, shape.softcap);
      const Seen seen = seen_of(shape, t.positions[r], start);
      if (seen.low == 0 && seen.high == kPageTokens) {
        weigh_row<false>(t, r, row, 4, seen, padded_dim(shape));
      } else {
        weigh_row<true>(t, r, row, n_strips, seen, padded_dim(shape));
      }
    }
  }

  // softcap * tanh(x) * log2 e, with tanh x = 1 - 2 / (e^2x + 1).
  static void cap(float* x, int n_strips, float softcap) {
    const F32x16 one = V::fill(1), minus_two = V::fill(-2);
    for (int s = 0; s < n_strips; ++s) {
      const F32x16 bounded = V::max(V::min(V::load(x + 16 * s), V::fill(15)), V::fill(-15));
      const F32x16 e = power_of_two<V>(V::mul(bounded, V::fill(2.88539008f)), V::fill(kRounder));
      const F32x16 tanh = V::add(V::div(minus_two, V::add(e, one)), one);
      V::store(x + 16 * s, V::mul(tanh, V::fill(softcap * 1.44269504f)));
    }
  }

  // kMasked: only some tokens of the n_strips strips are seen; otherwise all 64 are.
  template <bool kMasked>
  static void weigh_row(const Tile& t, int r, const float* scores, int n_strips, Seen seen,
                        int64_t padded) {
    F32x16 x[4], largest = V::fill(kLowest);
    QUERN_UNROLL for (int s = 0; s < 4; ++s) {
      if (kMasked && s >= n_strips) continue;
      x[s] = V::load(scores + 16 * s);
      largest = V::max(kMasked ? only_seen<V>(x[s], seen, s, kLowest) : x[s], largest);
    }
    if (V::any(V::less(V::fill(t.limit[r]), largest)))
      move_maximum(t, r, V::largest(largest), padded);
    const F32x16 shift = V::fill(t.shift[r]);
    F32x16 p[4];
    QUERN_UNROLL for (int s = 0; s < 4; ++s) {
      p[s] = V::fill(0);
      if (kMasked && s >= n_strips) continue;
      p[s] = power_of_two<V>(x[s], shift);
      if (kMasked) p[s] = only_seen<V>(p[s], seen, s, 0);
    }
    // The sum is of the weights as rounded: the outputs are a true mean of the values.
    Pair* weights = t.weights + r * kPagePairs;
    F32x16 sum = V::load(t.sums + 16 * r);
    sum = B::store_and_add(weights, p[0], p[1], sum);
    if (!kMasked || n_strips > 2) sum = B::store_and_add(weights + 16, p[2], p[3], sum);
    V::store(t.sums + 16 * r, sum);
  }

  // Makes `largest` (of the row's scores) the running maximum, rounded to an even integer.
  [[gnu::noinline]] static void move_maximum(const Tile& t, int r, float largest, int64_t padded) {
    const float to = 2 * __builtin_rintf(0.5f * largest), from = kRounder - t.shift[r];
    const bool first = t.limit[r] == kLowest;
    t.shift[r] = kRounder - to;
    t.limit[r] = to + kSlack;
    if (first) return;
    const F32x16 factor = V::fill(__builtin_ldexpf(1.0f, static_cast<int>(from - to)));
    V::store(t.sums + 16 * r, V::mul(V::load(t.sums + 16 * r), factor));
    for (int64_t d = 0; d < padded; d += 16)
      V::store(t.out + r * padded + d, V::mul(V::load(t.out + r * padded + d), factor));
  }

  // out += weights * values for kRows rows and kStrips strips of 16 dims.
  template <int kRows, int kStrips, bool kAhead>
  static void add_strips(const Pair* weights, const uint16_t* v, int64_t ahead, int64_t padded,
                         int n_pairs, float* out) {
    F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        sum[r][s] = V::load(out + r * padded + 16 * s);
    for (int i = 0; i < n_pairs; ++i, v += 2 * padded) {
      typename B::Vector value[kStrips];
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        value[s] = B::load(v + 32 * s);
        if (kAhead) V::prefetch(v + 32 * s + ahead);
      }
      QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
          sum[r][s] = B::dot(sum[r][s], value[s], weights[r * kPagePairs + i]);
    }
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        V::store(out + r * padded + 16 * s, sum[r][s]);
  }

  template <int kRows, bool kAhead>
  static void add_dims(const Pair* weights, const uint16_t* v, int64_t ahead, int64_t padded,
                       int n_pairs, float* out) {
    constexpr int kMost = V::kAttentionStrips;
    constexpr decltype(&add_strips<kRows, 1, kAhead>) kAdd[] = {
        add_strips<kRows, 1, kAhead>, add_strips<kRows, smaller(2, kMost), kAhead>,
        add_strips<kRows, smaller(3, kMost), kAhead>, add_strips<kRows, kMost, kAhead>};
    // Groups of almost equal size: 80 dims go as 2 + 3 strips rather than 4 + 1.
    const int n_strips = static_cast<int>(padded / 16), n_groups = (n_strips + kMost - 1) / kMost;
    for (int group = 0, strip = 0; group < n_groups; ++group) {
      const int n = (n_strips - strip) / (n_groups - group);
      kAdd[n - 1](weights, v + 32 * strip, ahead, padded, n_pairs, out + 16 * strip);
      strip += n;
    }
  }

  static void add_values(const AttentionShape& shape, const Tile& t, const uint16_t* values,
                         const uint16_t* next, int start) {
    static constexpr decltype(&add_dims<1, true>) kAdd[2][kTileRows] = {
        {add_dims<1, false>, add_dims<2, false>, add_dims<3, false>, add_dims<4, false>},
        {add_dims<1, true>, add_dims<2, true>, add_dims<3, true>, add_dims<4, true>}};
    kAdd[next != nullptr][t.n_rows - 1](t.weights, values, next ? next - values : 0,
                                        padded_dim(shape), 8 * strips_seen(t, start), t.out);
  }
};

}  // namespace quern::cpu
