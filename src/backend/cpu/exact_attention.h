// Exact attention: everything in f64, in plain order; the reference for the fast kernels.
//
// Page, per kv head (dim padded to 8 as P): keys [dim][64 tokens], values [64 tokens][P].
// A score is one chain of fma over ascending dims, then times the scale. The maximum of the row is
// the true one, so the scores are computed twice: once for it, once for the weights e^(s - max).
// Sums of one page are taken over ascending tokens (of the weights: 8 interleaved parts) and page
// sums are added in ascending order. Only independent elements share a vector, so a row's bits
// depend on nothing but the row, on every ISA.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/exact.h"
#include "backend/cpu/simd/wide.h"

namespace quern::cpu {

template <class V>
class ExactAttention {
 public:
  static constexpr ExactAttentionKernels kernels() {
    return {page_bytes, append, attend, scratch_bytes};
  }

 private:
  using W = Wide<V>;
  using F64x8 = typename W::F64x8;
  static constexpr double kLowest = -std::numeric_limits<double>::infinity();
  static constexpr int kStripsOfPage = kPageTokens / W::kLanes;

  static int64_t padded(const AttentionShape& shape) {
    return padded_to<W::kLanes>(value_dim_of(shape));
  }
  static int64_t key_numbers(const AttentionShape& shape) {
    return int64_t{kPageTokens} * shape.head_dim;
  }
  static int64_t head_numbers(const AttentionShape& shape) {
    return key_numbers(shape) + kPageTokens * padded(shape);
  }
  static int64_t page_bytes(const AttentionShape& shape) {
    return shape.n_kv_heads * head_numbers(shape) * static_cast<int64_t>(sizeof(double));
  }
  // Of one tile: outputs (4, P).
  static int64_t scratch_bytes(const AttentionShape& shape, int, int) {
    return kTileRows * padded(shape) * static_cast<int64_t>(sizeof(double));
  }

  static void append(const AttentionShape& shape, const double* k, const double* v, std::byte* page,
                     int slot) {
    for (int head = 0; head < shape.n_kv_heads; ++head) {
      double* keys = reinterpret_cast<double*>(page) + head * head_numbers(shape);
      double* values = keys + key_numbers(shape) + slot * padded(shape);
      for (int d = 0; d < shape.head_dim; ++d) keys[d * kPageTokens + slot] = *k++;
      for (int d = 0; d < value_dim_of(shape); ++d) values[d] = *v++;
    }
  }

  struct Call {
    const AttentionShape& shape;
    const LayerCache& cache;
    const int32_t* pages;
    int kv_head;
    const double* head(int page) const {
      return reinterpret_cast<const double*>(cache.base + pages[page] * cache.stride) +
             kv_head * head_numbers(shape);
    }
  };
  // Up to four rows; those behind the last repeat it and are not stored.
  struct Tile {
    const double* q[kTileRows];
    int position[kTileRows];
  };

  static void attend(const AttendCallOf<double>& call) {
    for (int i = 0; i < call.n_kv_heads; ++i)
      attend_head(call, {call.shape, call.cache, call.pages.data(), call.kv_head + i});
  }

  static void attend_head(const AttendCallOf<double>& call, const Call& head) {
    const AttentionShape& shape = call.shape;
    const int group = group_of(shape), rows = call.n_rows * group, value_dim = value_dim_of(shape);
    const auto offset = [&](int row, int64_t stride, int dim) {
      return row / group * stride + (int64_t{head.kv_head} * group + row % group) * dim;
    };
    for (int first = 0; first < rows; first += kTileRows) {
      Tile tile;
      for (int r = 0; r < kTileRows; ++r) {
        const int row = smaller(first + r, rows - 1);
        tile.q[r] = call.q + offset(row, call.q_stride, shape.head_dim);
        tile.position[r] = call.position + row / group;
      }
      double* sums = reinterpret_cast<double*>(call.scratch);
      attend_tile(head, tile, sums);
      for (int r = 0; r < smaller(kTileRows, rows - first); ++r)
        std::memcpy(call.out + offset(first + r, call.out_stride, value_dim),
                    sums + r * padded(shape), value_dim * sizeof(double));
    }
  }

  // out: (4, P)
  static void attend_tile(const Call& call, const Tile& tile, double* out) {
    const int64_t width = padded(call.shape);
    const int first_page = first_seen(call.shape, tile.position[0]) / kPageTokens;
    const int last_page = tile.position[kTileRows - 1] / kPageTokens;
    alignas(64) double scores[kTileRows * kPageTokens];
    F64x8 largest[kTileRows], sum[kTileRows];
    for (int r = 0; r < kTileRows; ++r) largest[r] = W::fill(kLowest), sum[r] = W::fill(0);
    for (int page = first_page; page <= last_page; ++page) {
      score(call, tile, page, scores);
      for (int r = 0; r < kTileRows; ++r) {
        const Seen seen = seen_of(call.shape, tile.position[r], page * kPageTokens);
        for (int s = 0; s < kStripsOfPage; ++s)
          largest[r] =
              W::max(only_seen(W::load(scores + r * kPageTokens + W::kLanes * s), seen, s, kLowest),
                     largest[r]);
      }
    }
    for (int r = 0; r < kTileRows; ++r) largest[r] = W::fill(W::largest(largest[r]));
    for (int64_t i = 0; i < kTileRows * width; i += W::kLanes) W::store(out + i, W::fill(0));
    for (int page = first_page; page <= last_page; ++page) {
      score(call, tile, page, scores);
      for (int r = 0; r < kTileRows; ++r) {
        const Seen seen = seen_of(call.shape, tile.position[r], page * kPageTokens);
        sum[r] = W::add(sum[r], weigh(scores + r * kPageTokens, largest[r], seen));
      }
      add_values(call, page, scores, out);
    }
    for (int r = 0; r < kTileRows; ++r) {
      const F64x8 total = W::fill(W::total(sum[r]));
      for (int64_t d = 0; d < width; d += W::kLanes)
        W::store(out + r * width + d, W::div(W::load(out + r * width + d), total));
    }
  }

  // scores: (4, 64)
  static void score(const Call& call, const Tile& tile, int page, double* scores) {
    constexpr int kStrips = V::kAttentionStrips;
    const F64x8 scale = W::fill(call.shape.scale);
    for (int strip = 0; strip < kStripsOfPage; strip += kStrips) {
      const double* keys = call.head(page) + W::kLanes * strip;
      F64x8 sum[kTileRows][kStrips];
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r)
          QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[r][s] = W::fill(0);
      for (int d = 0; d < call.shape.head_dim; ++d, keys += kPageTokens) {
        F64x8 key[kStrips];
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) key[s] = W::load(keys + W::kLanes * s);
        QUERN_UNROLL for (int r = 0; r < kTileRows; ++r)
            QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[r][s] =
                W::fma(key[s], W::fill(tile.q[r][d]), sum[r][s]);
      }
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) QUERN_UNROLL for (int s = 0; s < kStrips;
                                                                         ++s)
          W::store(scores + r * kPageTokens + W::kLanes * (strip + s), W::mul(sum[r][s], scale));
    }
    const double cap = call.shape.softcap;
    if (cap > 0)
      for (int i = 0; i < kTileRows * kPageTokens; ++i)
        scores[i] = cap * __builtin_tanh(scores[i] / cap);
  }

  // The lanes of strip `strip` (8 tokens) of a page that a row sees; `other` elsewhere.
  QUERN_SIMD F64x8 only_seen(F64x8 x, Seen seen, int strip, double other) {
    return W::within(x, seen.low - W::kLanes * strip, seen.high - W::kLanes * strip, other);
  }

  // Turns a row's scores of one page into weights; returns their sum in 8 parts.
  static F64x8 weigh(double* scores, F64x8 largest, Seen seen) {
    F64x8 sum = W::fill(0);
    for (int s = 0; s < kStripsOfPage; ++s) {
      const F64x8 e = W::exp(W::sub(W::load(scores + W::kLanes * s), largest));
      const F64x8 p = only_seen(e, seen, s, 0);
      W::store(scores + W::kLanes * s, p);
      sum = W::add(sum, p);
    }
    return sum;
  }

  // out += the page's sums of weight * value
  static void add_values(const Call& call, int page, const double* weights, double* out) {
    const int64_t width = padded(call.shape);
    const double* values = call.head(page) + key_numbers(call.shape);
    for (int64_t d = 0; d < width; d += W::kLanes) {
      F64x8 sum[kTileRows];
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) sum[r] = W::fill(0);
      for (int t = 0; t < kPageTokens; ++t) {
        const F64x8 value = W::load(values + t * width + d);
        QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) sum[r] =
            W::fma(value, W::fill(weights[r * kPageTokens + t]), sum[r]);
      }
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) {
        double* to = out + r * width + d;
        W::store(to, W::add(W::load(to), sum[r]));
      }
    }
  }
};

}  // namespace quern::cpu
