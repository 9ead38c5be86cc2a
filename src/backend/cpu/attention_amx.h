// Attention of prompt rows by tiles: the page layout of attention_fast.h is the right operand of
// the tile product as it stands, rows (token, head of the group) in sixteens are the left one.
//
// The cache is taken 128 tokens at a time. For each of these blocks, first the scores and weights
// of all tiles of rows, the weights of one tile between the products of the next; then the sums of
// values. With tiles the products are so fast that the weights decide, so these are computed on 16
// bits, 32 at a time, straight to the bits of a bf16:
// - Scores come out times 512 log2 e, plus a start value that the sums begin with (57088 - 512 m
//   for a running maximum m), and are rounded to unsigned integers y.
// - y reads as 7 bits of exponent and 9 of fraction g: the weight 2^(y / 512 - 127.5). 2^g differs
//   from 1 + g, which the same bits mean in a float, by a cubic in g. So
//   bf16 = (y + cubic(g)) >> 2. Relative error 5.4e-3, RMS 1.74e-3; rounding an exact weight to
//   bf16 has 3.9e-3, 1.66e-3.
// - Weights below 2^-111 of 2^m become 0.
// - The sum of the weights is one more tile product, with ones, so it is of the weights as rounded.
//
// A row's bits depend on the row alone: its maximum moves by the scores of its own blocks, which
// begin at multiples of 128; tokens not seen weigh exactly 0.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/attention_fast.h"
#include "backend/cpu/attention_tile.h"
#include "backend/cpu/simd/amx.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

// 32 weights of bf16 from 32 scores as above. Found by search over all small coefficients.
QUERN_SIMD __m512i weights_of(__m512i y) {
  const __m512i h = _mm512_slli_epi16(y, 7);  // g - 1/2, signed, in 2^-16
  __m512i c = _mm512_mulhrs_epi16(h, _mm512_set1_epi16(5));
  c = _mm512_mulhrs_epi16(h, _mm512_add_epi16(c, _mm512_set1_epi16(43)));
  c = _mm512_mulhrs_epi16(h, _mm512_add_epi16(c, _mm512_set1_epi16(-5)));
  const __m512i sum = _mm512_subs_epu16(_mm512_add_epi16(y, c), _mm512_set1_epi16(298));
  return _mm512_srli_epi16(sum, 2);
}

class TileAttention {
 public:
  // Keys are read in whole tiles, up to 15 pairs of dims beyond a head's: its values stand there,
  // as many bytes of a padded dim as of a key's.
  static bool fits(const AttentionShape& shape) {
    return shape.head_dim >= 32 && shape.head_dim % 2 == 0 &&
           q_dims(shape) - shape.head_dim <= padded_dim(shape);
  }

  static int64_t scratch_bytes(const AttentionShape& shape, int n_rows, int) {
    const int64_t tokens = smaller(n_rows, attention_rows(shape));
    const int64_t tiles = (tokens * group_of(shape) + kRows - 1) / kRows;
    return 2 * kRows * kBlock * 4 + kOnesBytes + tiles * tile_bytes(shape);
  }

  static void attend(const AttendCall& all) {
    Tiles::configure();
    auto* ones = reinterpret_cast<uint32_t*>(all.scratch + 2 * kRows * kBlock * 4);
    for (int i = 0; i < kOnesBytes / 4; ++i) ones[i] = 0x3f803f80;
    const int block = attention_rows(all.shape);
    for (int head = all.kv_head; head < all.kv_head + all.n_kv_heads; ++head)
      for (int first = 0; first < all.n_rows; first += block) {
        const int n = smaller(block, all.n_rows - first) * group_of(all.shape);
        attend_rows({all.shape, all.cache, all.pages.data(), all.q + first * all.q_stride,
                     all.out + first * all.out_stride, all.q_stride, all.out_stride,
                     all.position + first, n, head, all.scratch, ones});
      }
    Tiles::release();
  }

 private:
  using V = Avx512Vnni;
  static constexpr int kRows = Tiles::kRows;
  static constexpr int kBlock = 2 * kPageTokens;  // tokens
  static constexpr int kOnesBytes = kRows * Tiles::kBytes;
  static constexpr float kUnit = 512, kBase = 57088;  // see above
  static constexpr int kLimit = 61184;  // of y: a score 2^8 above the running maximum moves it

  struct Call {
    const AttentionShape& shape;
    const LayerCache& cache;
    const int32_t* pages;
    const float* q;
    float* out;
    int64_t q_stride, out_stride;
    int position, n_rows, kv_head;  // n_rows: flattened
    std::byte* scratch;
    const uint32_t* ones;
  };
  // 16 rows under way; all memory in the scratch of the caller.
  struct RowTile {
    uint16_t* q;        // (16, padded to 32 dims): times scale * 512 log2 e
    float* out;         // (16, P): sums of weight * value
    float* sums;        // (16, 16): of weights, the same in every column
    float* start;       // (16, 16): what a row's scores begin with, the same in every column
    uint16_t* weights;  // (16, 128): of the block at hand
    int* positions;     // (16)
    int* begun;         // (16): whether the running maximum stands for any score
    int n_rows;
  };

  static int64_t q_dims(const AttentionShape& shape) { return (shape.head_dim + 31) / 32 * 32; }
  static int64_t tile_bytes(const AttentionShape& shape) {
    return kRows * (q_dims(shape) * 2 + padded_dim(shape) * 4 + 2 * 64 + kBlock * 2 + 8);
  }
  static RowTile tile_at(const Call& call, int index) {
    RowTile t;
    std::byte* p =
        call.scratch + 2 * kRows * kBlock * 4 + kOnesBytes + index * tile_bytes(call.shape);
    t.q = reinterpret_cast<uint16_t*>(p);
    t.out = reinterpret_cast<float*>(t.q + kRows * q_dims(call.shape));
    t.sums = t.out + kRows * padded_dim(call.shape);
    t.start = t.sums + kRows * 16;
    t.weights = reinterpret_cast<uint16_t*>(t.start + kRows * 16);
    t.positions = reinterpret_cast<int*>(t.weights + kRows * kBlock);
    t.begun = t.positions + kRows;
    t.n_rows = smaller(kRows, call.n_rows - index * kRows);
    return t;
  }

  // The first page of a block may be out of the window of all rows, and given back: the second
  // stands in for it, since what is masked has to be a number.
  static const uint16_t* keys_of(const Call& call, int page) {
    if (call.pages[page] < 0) ++page;
    const int64_t head_bytes =
        int64_t{2} * kPageTokens * (call.shape.head_dim + padded_dim(call.shape));
    return reinterpret_cast<const uint16_t*>(
        call.cache.base + call.pages[page] * call.cache.stride + call.kv_head * head_bytes);
  }

  static void attend_rows(const Call& call) {
    const int n_tiles = (call.n_rows + kRows - 1) / kRows;
    for (int i = 0; i < n_tiles; ++i) begin_tile(call, i);
    const int last = call.position + (call.n_rows - 1) / group_of(call.shape);
    float* scores[2] = {reinterpret_cast<float*>(call.scratch),
                        reinterpret_cast<float*>(call.scratch) + kRows * kBlock};
    for (int start = first_seen(call.shape, call.position) / kBlock * kBlock; start <= last;
         start += kBlock) {
      int previous = -1, turn = 0;
      for (int i = 0; i < n_tiles; ++i) {
        if (!sees(call, i, start)) continue;
        score(call, i, start, scores[turn], previous, scores[1 - turn]);
        previous = i;
        turn = 1 - turn;
      }
      if (previous >= 0) weigh(call, previous, start, scores[1 - turn], 0, kRows);
      for (int i = 0; i < n_tiles; ++i)
        if (sees(call, i, start)) add_values(call, tile_at(call, i), start);
    }
    for (int i = 0; i < n_tiles; ++i) end_tile(call, i);
  }

  // Where row r of tile `index` stands in q and out.
  static int64_t offset(const Call& call, int index, int r, int64_t stride, int dim) {
    const int row = index * kRows + r, group = group_of(call.shape);
    return row / group * stride + int64_t{call.kv_head * group + row % group} * dim;
  }

  // Rows behind the last have zeros for queries and its position; nobody reads their results.
  static void begin_tile(const Call& call, int index) {
    const RowTile t = tile_at(call, index);
    const int64_t dim = call.shape.head_dim, dims = q_dims(call.shape),
                  padded = padded_dim(call.shape);
    const bool capped = call.shape.softcap > 0;
    const auto scale = static_cast<float>(call.shape.scale);
    const auto factor = V::fill(capped ? scale / call.shape.softcap : scale * kUnit * 1.44269504f);
    for (int r = 0; r < kRows; ++r) {
      const bool real = r < t.n_rows;
      const float* q =
          call.q + offset(call, index, real ? r : 0, call.q_stride, call.shape.head_dim);
      for (int64_t d = 0; d < dims; d += 32) {
        const int64_t n = real ? dim - d : 0;
        const auto low = V::mul(load_up_to<V>(q + d, n), factor);
        const auto high = V::mul(load_up_to<V>(q + d + 16, n - 16), factor);
        const __m512bh pair = _mm512_cvtne2ps_pbh(high, low);
        std::memcpy(t.q + r * dims + d, &pair, sizeof pair);
      }
      for (int64_t d = 0; d < padded; d += 16) V::store(t.out + r * padded + d, V::fill(0));
      V::store(t.sums + 16 * r, V::fill(0));
      V::store(t.start + 16 * r, V::fill(kBase));
      t.begun[r] = 0;
      t.positions[r] =
          call.position + (index * kRows + smaller(r, t.n_rows - 1)) / group_of(call.shape);
    }
  }

  static void end_tile(const Call& call, int index) {
    const RowTile t = tile_at(call, index);
    const int dim = value_dim_of(call.shape);
    const int64_t padded = padded_dim(call.shape);
    for (int r = 0; r < t.n_rows; ++r) {
      float* out = call.out + offset(call, index, r, call.out_stride, dim);
      const auto factor = V::fill(1.0f / t.sums[16 * r]);
      for (int64_t d = 0; d < dim; d += 16)
        store_up_to<V>(out + d, V::mul(V::load(t.out + r * padded + d), factor), dim - d);
    }
  }

  // Whether any row of the tile sees any token of the block; positions ascend.
  static bool sees(const Call& call, int index, int start) {
    const RowTile t = tile_at(call, index);
    return t.positions[kRows - 1] >= start &&
           first_seen(call.shape, t.positions[0]) < start + kBlock;
  }

  // Scores of tile `index`, and meanwhile the weights of tile `previous` (-1: none).
  static void score(const Call& call, int index, int start, float* scores, int previous,
                    float* previous_scores) {
    const RowTile t = tile_at(call, index);
    const int64_t dims = q_dims(call.shape);
    const int n_pages = t.positions[kRows - 1] >= start + kPageTokens ? 2 : 1;
    const int n_steps = static_cast<int>(n_pages * dims / 32);
    int step = 0;
    for (int page = 0; page < n_pages; ++page) {
      const uint16_t* keys = keys_of(call, start / kPageTokens + page);
      begin_scores(call, t);
      for (int64_t d = 0; d < dims; d += 32, keys += 32 * kPageTokens, ++step) {
        Tiles::load<4>(t.q + d, dims * 2);
        score_strip<0, 5>(keys);
        score_strip<1, 6>(keys);
        score_strip<2, 5>(keys);
        score_strip<3, 6>(keys);
        if (previous >= 0)
          weigh(call, previous, start, previous_scores, kRows * step / n_steps,
                kRows * (step + 1) / n_steps);
      }
      float* to = scores + page * kPageTokens;
      Tiles::store<0>(to, kBlock * 4);
      Tiles::store<1>(to + 16, kBlock * 4);
      Tiles::store<2>(to + 32, kBlock * 4);
      Tiles::store<3>(to + 48, kBlock * 4);
    }
  }
  static void begin_scores(const Call& call, const RowTile& t) {
    if (call.shape.softcap > 0) {
      Tiles::zero<0>(), Tiles::zero<1>(), Tiles::zero<2>(), Tiles::zero<3>();
    } else {
      Tiles::load<0>(t.start, 64), Tiles::load<1>(t.start, 64);
      Tiles::load<2>(t.start, 64), Tiles::load<3>(t.start, 64);
    }
  }
  template <int kStrip, int kTile>
  QUERN_SIMD void score_strip(const uint16_t* keys) {
    Tiles::load<kTile>(keys + 32 * kStrip, kPageTokens * 4);
    Tiles::add_bf16_product<kStrip, 4, kTile>();
  }

  // Weights of rows [first, last) of a tile from their scores (16, 128).
  static void weigh(const Call& call, int index, int start, float* scores, int first, int last) {
    const RowTile t = tile_at(call, index);
    for (int r = first; r < last; ++r) {
      const int low = larger(0, first_seen(call.shape, t.positions[r]) - start);
      const int high = smaller(kBlock, t.positions[r] - start + 1);
      float* row = scores + r * kBlock;
      if (call.shape.softcap > 0) cap(row, call.shape.softcap, t.start[16 * r]);
      low == 0 && high == kBlock ? weigh_row<false>(call, t, r, row, 0, kBlock)
                                 : weigh_row<true>(call, t, r, row, low, high);
    }
  }

  // kMasked: only tokens [low, high) of the block are seen; otherwise all are.
  template <bool kMasked>
  QUERN_SIMD void weigh_row(const Call& call, const RowTile& t, int r, float* scores, int low,
                            int high) {
    __mmask32 seen[4];
    if (kMasked)
      for (int i = 0; i < 4; ++i) seen[i] = first_of(high - 32 * i) & ~first_of(low - 32 * i);
    __m512i y[4], largest = _mm512_setzero_si512();
    QUERN_UNROLL for (int i = 0; i < 4; ++i) {
      y[i] = integers(scores + 32 * i);
      if (kMasked) y[i] = _mm512_maskz_mov_epi16(seen[i], y[i]);
      largest = _mm512_max_epu16(largest, y[i]);
    }
    const bool moves = _mm512_cmpgt_epu16_mask(largest, _mm512_set1_epi16(kLimit - 65536)) != 0;
    if ((moves || !t.begun[r]) && low < high) {
      move_maximum(call, t, r, scores, low, high);
      QUERN_UNROLL for (int i = 0; i < 4; ++i) y[i] = integers(scores + 32 * i);
    }
    QUERN_UNROLL for (int i = 0; i < 4; ++i) {
      __m512i w = weights_of(y[i]);
      if (kMasked) w = _mm512_maskz_mov_epi16(seen[i], w);
      _mm512_storeu_si512(t.weights + r * kBlock + 32 * i, w);
    }
  }
  QUERN_SIMD __mmask32 first_of(int n) {
    return n >= 32 ? ~__mmask32{0} : n <= 0 ? 0 : (__mmask32{1} << n) - 1;
  }
  // Rounded, in [0, 65535].
  QUERN_SIMD __m512i integers(const float* scores) {
    const __m512i low = _mm512_cvtps_epi32(V::load(scores));
    const __m512i high = _mm512_cvtps_epi32(V::load(scores + 16));
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_permutexvar_epi64(order, _mm512_packus_epi32(low, high));
  }

  // Makes the largest of scores [low, high) the row's running maximum, rounded to an integer; the
  // scores follow.
  [[gnu::noinline]] static void move_maximum(const Call& call, const RowTile& t, int r,
                                             float* scores, int low, int high) {
    auto most = V::fill(scores[low]);
    for (int i = 0; i < kBlock; i += 16) {
      const auto mask = static_cast<__mmask16>(V::first(high - i) & ~V::first(low - i));
      most = V::max(V::select(mask, V::load(scores + i), most), most);
    }
    const float largest = V::largest(most), was = t.start[16 * r];
    // In steps of the maximum, that is of powers of two.
    const float steps = __builtin_rintf((largest - kBase) / kUnit);
    V::store(t.start + 16 * r, V::fill(was - kUnit * steps));
    for (int i = 0; i < kBlock; i += 16)
      V::store(scores + i, V::sub(V::load(scores + i), V::fill(kUnit * steps)));
    if (t.begun[r]) {
      const int64_t padded = padded_dim(call.shape);
      const auto factor = V::fill(__builtin_ldexpf(1.0f, static_cast<int>(-steps)));
      V::store(t.sums + 16 * r, V::mul(V::load(t.sums + 16 * r), factor));
      for (int64_t d = 0; d < padded; d += 16)
        V::store(t.out + r * padded + d, V::mul(V::load(t.out + r * padded + d), factor));
    }
    t.begun[r] = 1;
  }

  // softcap * tanh(x) in the unit of scores, plus start; tanh x = 1 - 2 / (e^2x + 1).
  static void cap(float* x, float softcap, float start) {
    const auto one = V::fill(1), minus_two = V::fill(-2);
    for (int i = 0; i < kBlock; i += 16) {
      const auto bounded = V::max(V::min(V::load(x + i), V::fill(15)), V::fill(-15));
      const auto e = power_of_two<V>(V::mul(bounded, V::fill(2.88539008f)), V::fill(kRounder));
      const auto tanh = V::add(V::div(minus_two, V::add(e, one)), one);
      V::store(x + i, V::fma(tanh, V::fill(softcap * kUnit * 1.44269504f), V::fill(start)));
    }
  }

  // out += weights * values, four strips of 16 dims at a time; sums += weights.
  static void add_values(const Call& call, const RowTile& t, int start) {
    static constexpr decltype(&add_strips<1, true>) kAdd[2][4] = {
        {add_strips<1, false>, add_strips<2, false>, add_strips<3, false>, add_strips<4, false>},
        {add_strips<1, true>, add_strips<2, true>, add_strips<3, true>, add_strips<4, true>}};
    const int n_strips = static_cast<int>(padded_dim(call.shape) / 16),
              n_groups = (n_strips + 3) / 4;
    for (int group = 0, strip = 0; group < n_groups; ++group) {
      const int n = (n_strips - strip) / (n_groups - group);
      kAdd[group == 0][n - 1](call, t, start, strip);
      strip += n;
    }
  }

  template <int kStrips, bool kSum>
  static void add_strips(const Call& call, const RowTile& t, int start, int strip) {
    const int64_t padded = padded_dim(call.shape);
    float* out = t.out + 16 * strip;
    Tiles::load<0>(out, padded * 4);
    if (kStrips > 1) Tiles::load<1>(out + 16, padded * 4);
    if (kStrips > 2) Tiles::load<2>(out + 32, padded * 4);
    if (kStrips > 3) Tiles::load<3>(out + 48, padded * 4);
    if (kSum) Tiles::load<4>(t.sums, 64), Tiles::load<7>(call.ones, 64);
    const int first = larger(0, first_seen(call.shape, t.positions[0]) - start) / 32;
    const int last = smaller(kBlock - 1, t.positions[kRows - 1] - start) / 32;
    for (int i = first; i <= last; ++i) {
      const uint16_t* values = keys_of(call, start / kPageTokens + i / 2) +
                               kPageTokens * call.shape.head_dim + i % 2 * 32 * padded + 32 * strip;
      Tiles::load<5>(t.weights + 32 * i, kBlock * 2);
      add_strip<0>(values, padded);
      if constexpr (kStrips > 1) add_strip<1>(values, padded);
      if constexpr (kStrips > 2) add_strip<2>(values, padded);
      if constexpr (kStrips > 3) add_strip<3>(values, padded);
      if constexpr (kSum) Tiles::add_bf16_product<4, 5, 7>();
    }
    Tiles::store<0>(out, padded * 4);
    if (kStrips > 1) Tiles::store<1>(out + 16, padded * 4);
    if (kStrips > 2) Tiles::store<2>(out + 32, padded * 4);
    if (kStrips > 3) Tiles::store<3>(out + 48, padded * 4);
    if (kSum) Tiles::store<4>(t.sums, 64);
  }
  template <int kStrip>
  QUERN_SIMD void add_strip(const uint16_t* values, int64_t padded) {
    Tiles::load<6>(values + 32 * kStrip, padded * 4);
    Tiles::add_bf16_product<kStrip, 5, 6>();
  }
};

}  // namespace quern::cpu
