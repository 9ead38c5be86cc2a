// Fast attention, written once over the vocabulary V of simd/<isa>.h and the form Kv that the cache
// has (kv_<kind>.h: layout, numbers of queries and weights, dot product).
//
// Per kv head of a page stand its keys and then its values; all kv heads of a page are adjacent.
// Rows (token, head of the group) go in tiles of 4. For each page and head, first the scores and
// weights of all tiles (the keys stay in L1), then their sums of values. Scores carry the factor
// log2 e.
//
// Why a row's bits depend on the row alone: a score is one chain over ascending dims, an output one
// chain over ascending tokens of a split, the sum of weights 16 such chains joined at the end;
// tokens not seen add exact zeros. The running maximum is an even integer, moved only when a score
// exceeds it by 2^24, and moving it, and joining splits, multiplies by exact powers of two.
// Scores must stay below 2^22 in magnitude, else the row is wrong (though finite).
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/attention_tile.h"

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

template <class V, class Kv>
class FastAttention {
 public:
  static constexpr AttentionKernels kernels() {
    return {page_bytes, append, attend, scratch_bytes, attend_split, join_splits, state_floats};
  }

 private:
  using F32x16 = typename V::F32x16;
  using Number = typename Kv::Number;
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  static constexpr float kSlack = 24;  // powers of two a score may exceed the running maximum
  static constexpr int kPageSteps = kPageTokens / Kv::kPerStep;
  static constexpr int kStripSteps = 16 / Kv::kPerStep;  // of values

  static int64_t head_bytes(const AttentionShape& shape) {
    return Kv::key_bytes(shape.head_dim) + Kv::value_bytes(value_dim_of(shape));
  }
  static int64_t page_bytes(const AttentionShape& shape) {
    return shape.n_kv_heads * head_bytes(shape);
  }

  static void append(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
                     int slot) {
    const int dim = shape.head_dim, value_dim = value_dim_of(shape);
    for (int head = 0; head < shape.n_kv_heads; ++head, k += dim, v += value_dim) {
      std::byte* keys = page + head * head_bytes(shape);
      if constexpr (Kv::kRotated) {
        float rotated[kMaxDims];
        std::memcpy(rotated, k, dim * sizeof(float));
        rotate_dims<V>(rotated, dim);
        Kv::append_key(rotated, dim, keys, slot);
      } else {
        Kv::append_key(k, dim, keys, slot);
      }
      Kv::append_value(v, value_dim, keys + Kv::key_bytes(dim), slot);
    }
  }

  // The sums of one row: outputs (P), weights in 16 parts, then the running maximum as kRounder -
  // maximum, and maximum + kSlack (kLowest: nothing seen yet).
  struct State {
    float *out, *sums;
    float &shift, &limit;
    bool empty() const { return limit == kLowest; }
  };
  static int64_t state_floats(const AttentionShape& shape) { return padded_dim(shape) + 32; }
  static State state_at(const AttentionShape& shape, float* states, int64_t row) {
    float* out = states + row * state_floats(shape);
    float* sums = out + padded_dim(shape);
    return {out, sums, sums[16], sums[17]};
  }

  // The state of four rows. states: of the current split; joined: of earlier splits.
  struct Tile {
    Number* q;        // (4, q_numbers): times scale * log2 e
    Number* weights;  // (4, kPageSteps): of the page at hand
    float *states, *joined;
    int* positions;  // (4)
    int n_rows;
  };

  static int64_t q_numbers(const AttentionShape& shape) {
    return padded_to<32>(shape.head_dim) / Kv::kPerStep;
  }
  static int64_t tile_bytes(const AttentionShape& shape) {
    const int64_t numbers = kTileRows * (q_numbers(shape) + kPageSteps);
    return numbers * sizeof(Number) + 2 * kTileRows * state_floats(shape) * 4 + 64;
  }
  static int tiles_of_head(const AttentionShape& shape, int n_rows) {
    return (n_rows * group_of(shape) + kTileRows - 1) / kTileRows;
  }
  static int64_t scratch_bytes(const AttentionShape& shape, int n_rows, int n_kv_heads) {
    return n_kv_heads * tiles_of_head(shape, smaller(n_rows, attention_rows(shape))) *
           tile_bytes(shape);
  }

  // Tile `index` of the call's kv head `head`.
  static Tile tile_at(const AttendCall& call, int head, int index) {
    const int n_tiles = tiles_of_head(call.shape, call.n_rows);
    Tile t;
    t.q =
        reinterpret_cast<Number*>(call.scratch + (head * n_tiles + index) * tile_bytes(call.shape));
    t.weights = t.q + kTileRows * q_numbers(call.shape);
    t.states = reinterpret_cast<float*>(t.weights + kTileRows * kPageSteps);
    t.joined = t.states + kTileRows * state_floats(call.shape);
    t.n_rows = smaller(kTileRows, call.n_rows * group_of(call.shape) - index * kTileRows);
    t.positions = reinterpret_cast<int*>(t.joined + kTileRows * state_floats(call.shape));
    return t;
  }

  static void attend(const AttendCall& call) {
    const int block = attention_rows(call.shape);
    for (int first = 0; first < call.n_rows; first += block) {
      AttendCall part = call;
      part.position += first;
      part.n_rows = smaller(block, call.n_rows - first);
      part.q += first * call.q_stride;
      part.out += first * call.out_stride;
      attend_block(part);
    }
  }

  template <class F>  // f(head, index, tile)
  static void for_each_tile(const AttendCall& call, F f) {
    const int n_tiles = tiles_of_head(call.shape, call.n_rows);
    for (int head = 0; head < call.n_kv_heads; ++head)
      for (int i = 0; i < n_tiles; ++i) f(head, i, tile_at(call, head, i));
  }

  static void attend_block(const AttendCall& call) {
    const AttentionShape& shape = call.shape;
    const Splits splits = splits_of(shape.window, call.position, call.n_rows);
    for_each_tile(call, [&](int head, int i, const Tile& t) { take_queries(call, head, i, t); });
    for (int split = splits.first; split <= splits.last; ++split) {
      for_each_tile(call, [&](int, int, const Tile& t) {
        for (int r = 0; r < t.n_rows; ++r) clear(shape, state_at(shape, t.states, r));
      });
      add_split(call, split);
      for_each_tile(call, [&](int, int, const Tile& t) {
        for (int r = 0; r < t.n_rows; ++r) {
          const State joined = state_at(shape, t.joined, r);
          if (split == splits.first) clear(shape, joined);
          join(shape, joined, state_at(shape, t.states, r));
        }
      });
    }
    for_each_tile(call, [&](int head, int i, const Tile& t) {
      for (int r = 0; r < t.n_rows; ++r)
        finish(call, head, i * kTileRows + r, state_at(shape, t.joined, r));
    });
  }

  static void attend_split(const AttendCall& call, int split, float* states) {
    const AttentionShape& shape = call.shape;
    const int64_t head_rows = call.n_rows * group_of(shape);
    for_each_tile(call, [&](int head, int i, const Tile& t) {
      take_queries(call, head, i, t);
      for (int r = 0; r < t.n_rows; ++r) clear(shape, state_at(shape, t.states, r));
    });
    add_split(call, split);
    for_each_tile(call, [&](int head, int i, const Tile& t) {
      std::memcpy(states + (head * head_rows + i * kTileRows) * state_floats(shape), t.states,
                  t.n_rows * state_floats(shape) * sizeof(float));
    });
  }

  static void join_splits(const AttendCall& call, int n_splits, float* states, int64_t stride) {
    const int head_rows = call.n_rows * group_of(call.shape);
    for (int head = 0; head < call.n_kv_heads; ++head)
      for (int row = 0; row < head_rows; ++row) {
        const int64_t at = int64_t{head} * head_rows + row;
        const State all = state_at(call.shape, states, at);
        for (int split = 1; split < n_splits; ++split)
          join(call.shape, all, state_at(call.shape, states + split * stride, at));
        finish(call, head, row, all);
      }
  }

  // Adds the tokens of a split to the states of all tiles.
  static void add_split(const AttendCall& call, int split) {
    const AttentionShape& shape = call.shape;
    const int last = call.position + call.n_rows - 1, from = split * kSplitTokens;
    const int first_page = larger(first_seen(shape, call.position), from) / kPageTokens;
    const int last_page = smaller(last, from + kSplitTokens - 1) / kPageTokens;
    for (int page = first_page; page <= last_page; ++page)
      for (int head = 0; head < call.n_kv_heads; ++head) {
        const std::byte* next = head + 1 < call.n_kv_heads ? keys_of(call, page, head + 1)
                                : page < last_page         ? keys_of(call, page + 1, 0)
                                                           : nullptr;
        add_page(call, page, head, next);
      }
  }

  static const std::byte* keys_of(const AttendCall& call, int page, int head) {
    return call.cache.base + call.pages.data()[page] * call.cache.stride +
           (call.kv_head + head) * head_bytes(call.shape);
  }

  // next: the keys that will be read after this page's values; or null.
  static void add_page(const AttendCall& call, int page, int head, const std::byte* next) {
    const int start = page * kPageTokens, n_tiles = tiles_of_head(call.shape, call.n_rows);
    const std::byte* keys = keys_of(call, page, head);
    const std::byte* values = keys + Kv::key_bytes(call.shape.head_dim);
    // Few tiles wait for memory: the first one asks for the values while it reads the keys, and for
    // the next keys while it reads the values. More tiles work long enough on a page.
    const bool ask = n_tiles <= 2;
    for (int i = 0; i < n_tiles; ++i) {
      const Tile tile = tile_at(call, head, i);
      if (sees(call.shape, tile, start))
        weigh(call.shape, tile, keys, ask && i == 0 ? values : nullptr, start);
    }
    for (int i = 0; i < n_tiles; ++i) {
      const Tile tile = tile_at(call, head, i);
      if (sees(call.shape, tile, start))
        add_values(call.shape, tile, values, ask && i == 0 ? next : nullptr, start);
    }
  }

  // Where a flattened row of a head stands in q and out.
  static int64_t offset(const AttendCall& call, int head, int row, int64_t stride, int dim) {
    const int group = group_of(call.shape);
    return row / group * stride + (int64_t{call.kv_head + head} * group + row % group) * dim;
  }

  static void take_queries(const AttendCall& call, int head, int index, const Tile& t) {
    const int dim = call.shape.head_dim;
    // With a soft cap the scores are divided by the cap, as the input of tanh.
    const auto scale = static_cast<float>(call.shape.scale);
    const F32x16 factor =
        V::fill(call.shape.softcap > 0 ? scale / call.shape.softcap : scale * 1.44269504f);
    for (int r = 0; r < t.n_rows; ++r) {
      t.positions[r] = call.position + (index * kTileRows + r) / group_of(call.shape);
      const float* q = call.q + offset(call, head, index * kTileRows + r, call.q_stride, dim);
      float rotated[Kv::kRotated ? kMaxDims : 1];
      if constexpr (Kv::kRotated) {
        std::memcpy(rotated, q, dim * sizeof(float));
        rotate_dims<V>(rotated, dim);
        q = rotated;
      }
      for (int d = 0; d < dim; d += 32)
        Kv::store(t.q + r * q_numbers(call.shape) + d / Kv::kPerStep,
                  V::mul(load_up_to<V>(q + d, dim - d), factor),
                  V::mul(load_up_to<V>(q + d + 16, dim - d - 16), factor));
    }
  }

  static void clear(const AttentionShape& shape, const State& s) {
    for (int64_t d = 0; d < padded_dim(shape); d += 16) V::store(s.out + d, V::fill(0));
    V::store(s.sums, V::fill(0));
    s.shift = kRounder;
    s.limit = kLowest;
  }

  // all += part, a later one; one rounding a number.
  static void join(const AttentionShape& shape, const State& all, const State& part) {
    if (part.empty()) return;
    if (all.empty()) {
      std::memcpy(all.out, part.out, state_floats(shape) * sizeof(float));
      return;
    }
    const float old = kRounder - all.shift, other = kRounder - part.shift;
    const float maximum = old > other ? old : other;
    const F32x16 a = V::fill(__builtin_ldexpf(1.0f, static_cast<int>(old - maximum)));
    const F32x16 b = V::fill(__builtin_ldexpf(1.0f, static_cast<int>(other - maximum)));
    for (int64_t i = 0; i < padded_dim(shape) + 16; i += 16)  // outputs and sums
      V::store(all.out + i, V::fma(V::load(part.out + i), b, V::mul(V::load(all.out + i), a)));
    all.shift = kRounder - maximum;
    all.limit = maximum + kSlack;
  }

  static void finish(const AttendCall& call, int head, int row, const State& s) {
    const int dim = value_dim_of(call.shape);
    float* out = call.out + offset(call, head, row, call.out_stride, dim);
    const F32x16 factor = V::fill(1.0f / V::total(V::load(s.sums)));
    for (int d = 0; d < dim; d += 16)
      store_up_to<V>(out + d, V::mul(V::load(s.out + d), factor), dim - d);
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

  // Scores of kRows rows and kStrips strips from `strip` on. kAhead: what lies `ahead` of the keys
  // will be read soon.
  template <int kRows, int kStrips, bool kAhead>
  static void score_strips(const Number* q, int64_t q_stride, const std::byte* keys, int dim,
                           int strip, int64_t ahead, float* scores) {
    using Keys = typename Kv::template Keys<kStrips>;
    const int n_steps = dim / Kv::kPerStep;
    F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        sum[r][s] = V::fill(0);
    for (int step = 0; step < n_steps;) {
      const Keys k = Keys::start(keys, dim, strip, step);
      const int end = Kv::kGroupSteps < n_steps - step ? step + Kv::kGroupSteps : n_steps;
      for (; step < end; ++step) {
        if (kAhead) ask<kStrips * Kv::kStepBytes / 4>(keys + ahead + step * Kv::kStepBytes, strip);
        typename Kv::Vector key[kStrips];
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) key[s] = Keys::load(k, step, s);
        QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
            sum[r][s] = Kv::dot(sum[r][s], key[s], q[r * q_stride + step]);
      }
    }
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        V::store(scores + r * kPageTokens + 16 * (strip + s), sum[r][s]);
  }
  // Asks for the lines of kBytes of a step, from the strip-th such piece of 4.
  template <int kBytes>
  QUERN_SIMD void ask(const std::byte* step, int strip) {
    const std::byte* from = step + strip * (Kv::kStepBytes / 4);
    QUERN_UNROLL for (int i = 0; i < kBytes; i += 64) V::prefetch(from + i);
  }

  // The first n_strips strips, as many at a time as the registers hold.
  template <int kRows, bool kAhead, int kAtOnce = V::kAttentionStrips>
  static void score(const Number* q, int64_t q_stride, const std::byte* keys, int dim, int strip,
                    int n_strips, int64_t ahead, float* scores) {
    for (; strip + kAtOnce <= n_strips; strip += kAtOnce)
      score_strips<kRows, kAtOnce, kAhead>(q, q_stride, keys, dim, strip, ahead, scores);
    if constexpr (kAtOnce > 1)
      if (strip < n_strips)
        score<kRows, kAhead, kAtOnce / 2>(q, q_stride, keys, dim, strip, n_strips, ahead, scores);
  }

  // Scores and weights of a tile on one page. next: what to fetch meanwhile, laid out alike; or
  // null.
  static void weigh(const AttentionShape& shape, const Tile& t, const std::byte* keys,
                    const std::byte* next, int start) {
    alignas(64) float scores[kTileRows * kPageTokens];
    const int n_strips = strips_seen(t, start);
    static constexpr decltype(&score<1, true>) kScore[2][kTileRows] = {
        {score<1, false>, score<2, false>, score<3, false>, score<4, false>},
        {score<1, true>, score<2, true>, score<3, true>, score<4, true>}};
    kScore[next != nullptr][t.n_rows - 1](t.q, q_numbers(shape), keys, shape.head_dim, 0, n_strips,
                                          next ? next - keys : 0, scores);
    for (int r = 0; r < t.n_rows; ++r) {
      float* row = scores + r * kPageTokens;
      if (shape.softcap > 0) cap(row, n_strips, shape.softcap);
      const Seen seen = seen_of(shape, t.positions[r], start);
      if (seen.low == 0 && seen.high == kPageTokens) {
        weigh_row<false>(shape, t, r, row, 4, seen);
      } else {
        weigh_row<true>(shape, t, r, row, n_strips, seen);
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
  static void weigh_row(const AttentionShape& shape, const Tile& t, int r, const float* scores,
                        int n_strips, Seen seen) {
    const State state = state_at(shape, t.states, r);
    F32x16 x[4], largest = V::fill(kLowest);
    QUERN_UNROLL for (int s = 0; s < 4; ++s) {
      if (kMasked && s >= n_strips) continue;
      x[s] = V::load(scores + 16 * s);
      largest = V::max(kMasked ? only_seen<V>(x[s], seen, s, kLowest) : x[s], largest);
    }
    if (V::any(V::less(V::fill(state.limit), largest)))
      move_maximum(shape, state, V::largest(largest));
    const F32x16 shift = V::fill(state.shift);
    F32x16 p[4];
    QUERN_UNROLL for (int s = 0; s < 4; ++s) {
      p[s] = V::fill(0);
      if (kMasked && s >= n_strips) continue;
      p[s] = power_of_two<V>(x[s], shift);
      if (kMasked) p[s] = only_seen<V>(p[s], seen, s, 0);
    }
    // The sum is of the weights as rounded: the outputs are a true mean of the values.
    Number* weights = t.weights + r * kPageSteps;
    F32x16 sum = V::load(state.sums);
    sum = Kv::store_and_add(weights, p[0], p[1], sum);
    if (!kMasked || n_strips > 2)
      sum = Kv::store_and_add(weights + kPageSteps / 2, p[2], p[3], sum);
    V::store(state.sums, sum);
  }

  // Makes `largest` (of the row's scores) the running maximum, rounded to an even integer.
  [[gnu::noinline]] static void move_maximum(const AttentionShape& shape, const State& s,
                                             float largest) {
    const float to = 2 * __builtin_rintf(0.5f * largest), from = kRounder - s.shift;
    const bool first = s.empty();
    s.shift = kRounder - to;
    s.limit = to + kSlack;
    if (first) return;
    const F32x16 factor = V::fill(__builtin_ldexpf(1.0f, static_cast<int>(from - to)));
    for (int64_t i = 0; i < padded_dim(shape) + 16; i += 16)  // outputs and sums
      V::store(s.out + i, V::mul(V::load(s.out + i), factor));
  }

  // out += weights * values for kRows rows and kStrips strips of 16 dims from `strip` on.
  template <int kRows, int kStrips, bool kAhead>
  static void add_strips(const Number* weights, const std::byte* values, int dim, int strip,
                         int n_steps, int64_t ahead, float* out, int64_t out_stride) {
    using Values = typename Kv::template Values<kStrips>;
    const auto v = Values::start(values, dim, strip);
    constexpr int kStripBytes = Kv::kStepBytes / 4;
    const std::byte* soon = values + ahead + strip * kStripBytes;
    F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        sum[r][s] = V::load(out + r * out_stride + 16 * (strip + s));
    for (int i = 0; i < n_steps; ++i) {
      if (kAhead) {
        QUERN_UNROLL for (int s = 0; s < kStrips * kStripBytes; s += 64) V::prefetch(soon + s);
        soon += Kv::value_step_bytes(dim);
      }
      const auto step = Values::step(v, i);
      typename Kv::Vector value[kStrips];
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) value[s] = Values::load(step, s);
      QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
          sum[r][s] = Kv::dot(sum[r][s], value[s], weights[r * kPageSteps + i]);
    }
    QUERN_UNROLL for (int r = 0; r < kRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
        V::store(out + r * out_stride + 16 * (strip + s), sum[r][s]);
  }

  template <int kRows, bool kAhead>
  static void add_dims(const AttentionShape& shape, const Number* weights, const std::byte* values,
                       int n_steps, int64_t ahead, float* out) {
    constexpr int kMax = V::kAttentionStrips;
    constexpr decltype(&add_strips<kRows, 1, kAhead>) kAdd[] = {
        add_strips<kRows, 1, kAhead>, add_strips<kRows, smaller(2, kMax), kAhead>,
        add_strips<kRows, smaller(3, kMax), kAhead>, add_strips<kRows, kMax, kAhead>};
    // Passes of almost equal size: 80 dims go as 2 + 3 strips rather than 4 + 1. But strips that
    // share a scale go together.
    const int n_strips = static_cast<int>(padded_dim(shape) / 16);
    const int n_passes = (n_strips + kMax - 1) / kMax;
    for (int pass = 0, strip = 0; pass < n_passes; ++pass) {
      const int even = (n_strips - strip) / (n_passes - pass);
      const int n = Kv::kGroupStrips < n_strips ? smaller(kMax, n_strips - strip) : even;
      kAdd[n - 1](weights, values, value_dim_of(shape), strip, n_steps, ahead, out,
                  state_floats(shape));
      strip += n;
    }
  }

  static void add_values(const AttentionShape& shape, const Tile& t, const std::byte* values,
                         const std::byte* next, int start) {
    static constexpr decltype(&add_dims<1, true>) kAdd[2][kTileRows] = {
        {add_dims<1, false>, add_dims<2, false>, add_dims<3, false>, add_dims<4, false>},
        {add_dims<1, true>, add_dims<2, true>, add_dims<3, true>, add_dims<4, true>}};
    kAdd[next != nullptr][t.n_rows - 1](shape, t.weights, values,
                                        kStripSteps * strips_seen(t, start),
                                        next ? next - values : 0, t.states);
  }
};

}  // namespace quern::cpu
