// Exact attention: everything in f32, in plain order; what the fast one is measured against.
//
// Page, per kv head (dim padded to 16 as P): keys [dim][64 tokens], values [64 tokens][P].
// A score is one chain of fma over ascending dims, then times the scale. The maximum of the row is
// the true one, so the scores are computed twice: once for it, once for the weights e^(s - max).
// Sums of one page are taken over ascending tokens (of the weights: 16 interleaved parts) and page
// sums are added in ascending order. Only independent elements share a vector, so a row's bits
// depend on nothing but the row, on every ISA.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>

#include "backend/cpu/attention_tile.h"
#include "backend/cpu/simd/math.h"

namespace quern::cpu {

template <class V>
class ExactAttention {
 public:
  static constexpr AttentionKernels kernels() {
    return {page_bytes, append, attend, scratch_bytes, nullptr, nullptr, nullptr};
  }

 private:
  using F32x16 = typename V::F32x16;
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();

  static int64_t key_floats(const AttentionShape& shape) {
    return int64_t{kPageTokens} * shape.head_dim;
  }
  static int64_t head_floats(const AttentionShape& shape) {
    return key_floats(shape) + kPageTokens * padded_dim(shape);
  }
  static int64_t page_bytes(const AttentionShape& shape) {
    return shape.n_kv_heads * head_floats(shape) * 4;
  }
  // Of one tile: outputs (4, P).
  static int64_t scratch_bytes(const AttentionShape& shape, int, int) {
    return kTileRows * padded_dim(shape) * 4;
  }

  static void append(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
                     int slot) {
    for (int head = 0; head < shape.n_kv_heads; ++head) {
      float* keys = reinterpret_cast<float*>(page) + head * head_floats(shape);
      float* values = keys + key_floats(shape) + slot * padded_dim(shape);
      for (int d = 0; d < shape.head_dim; ++d) keys[d * kPageTokens + slot] = *k++;
      for (int d = 0; d < shape.head_dim; ++d) values[d] = *v++;
    }
  }

  struct Call {
    const AttentionShape& shape;
    const LayerCache& cache;
    const int32_t* pages;
    int kv_head;
    const float* head(int page) const {
      return reinterpret_cast<const float*>(cache.base + pages[page] * cache.stride) +
             kv_head * head_floats(shape);
    }
  };
  // Up to four rows; those behind the last repeat it and are not stored.
  struct Tile {
    const float* q[kTileRows];
    int position[kTileRows];
  };

  static void attend(const AttendCall& call) {
    for (int i = 0; i < call.n_kv_heads; ++i)
      attend_head(call, {call.shape, call.cache, call.pages.data(), call.kv_head + i});
  }

  static void attend_head(const AttendCall& call, const Call& head) {
    const AttentionShape& shape = call.shape;
    const int group = group_of(shape), rows = call.n_rows * group;
    const auto offset = [&](int row, int64_t stride) {
      return row / group * stride + (int64_t{head.kv_head} * group + row % group) * shape.head_dim;
    };
    for (int first = 0; first < rows; first += kTileRows) {
      Tile tile;
      for (int r = 0; r < kTileRows; ++r) {
        const int row = smaller(first + r, rows - 1);
        tile.q[r] = call.q + offset(row, call.q_stride);
        tile.position[r] = call.position + row / group;
      }
      float* sums = reinterpret_cast<float*>(call.scratch);
      attend_tile(head, tile, sums);
      for (int r = 0; r < smaller(kTileRows, rows - first); ++r)
        std::memcpy(call.out + offset(first + r, call.out_stride), sums + r * padded_dim(shape),
                    shape.head_dim * sizeof(float));
    }
  }

  // out: (4, P)
  static void attend_tile(const Call& call, const Tile& tile, float* out) {
    const int64_t padded = padded_dim(call.shape);
    const int first_page = first_seen(call.shape, tile.position[0]) / kPageTokens;
    const int last_page = tile.position[kTileRows - 1] / kPageTokens;
    alignas(64) float scores[kTileRows * kPageTokens];
    F32x16 largest[kTileRows], sum[kTileRows];
    for (int r = 0; r < kTileRows; ++r) largest[r] = V::fill(kLowest), sum[r] = V::fill(0);
    for (int page = first_page; page <= last_page; ++page) {
      score(call, tile, page, scores);
      for (int r = 0; r < kTileRows; ++r) {
        const Seen seen = seen_of(call.shape, tile.position[r], page * kPageTokens);
        for (int s = 0; s < 4; ++s)
          largest[r] =
              V::max(only_seen<V>(V::load(scores + r * kPageTokens + 16 * s), seen, s, kLowest),
                     largest[r]);
      }
    }
    for (int r = 0; r < kTileRows; ++r) largest[r] = V::fill(V::largest(largest[r]));
    for (int64_t i = 0; i < kTileRows * padded; i += 16) V::store(out + i, V::fill(0));
    for (int page = first_page; page <= last_page; ++page) {
      score(call, tile, page, scores);
      for (int r = 0; r < kTileRows; ++r) {
        const Seen seen = seen_of(call.shape, tile.position[r], page * kPageTokens);
        sum[r] = V::add(sum[r], weigh(scores + r * kPageTokens, largest[r], seen));
      }
      add_values(call, page, scores, out);
    }
    for (int r = 0; r < kTileRows; ++r) {
      const F32x16 total = V::fill(V::total(sum[r]));
      for (int64_t d = 0; d < padded; d += 16)
        V::store(out + r * padded + d, V::div(V::load(out + r * padded + d), total));
    }
  }

  // scores: (4, 64)
  static void score(const Call& call, const Tile& tile, int page, float* scores) {
    constexpr int kStrips = V::kAttentionStrips;
    const F32x16 scale = V::fill(call.shape.scale);
    for (int strip = 0; strip < 4; strip += kStrips) {
      const float* keys = call.head(page) + 16 * strip;
      F32x16 sum[kTileRows][kStrips];
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r)
          QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[r][s] = V::fill(0);
      for (int d = 0; d < call.shape.head_dim; ++d, keys += kPageTokens) {
        F32x16 key[kStrips];
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) key[s] = V::load(keys + 16 * s);
        QUERN_UNROLL for (int r = 0; r < kTileRows; ++r)
            QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[r][s] =
                V::fma(key[s], V::fill(tile.q[r][d]), sum[r][s]);
      }
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r)
          QUERN_UNROLL for (int s = 0; s < kStrips; ++s)
              V::store(scores + r * kPageTokens + 16 * (strip + s), V::mul(sum[r][s], scale));
    }
    if (call.shape.softcap > 0)
      for (int i = 0; i < kTileRows * kPageTokens; ++i)
        scores[i] = call.shape.softcap * __builtin_tanhf(scores[i] / call.shape.softcap);
  }

  // Turns a row's scores of one page into weights; returns their sum in 16 parts.
  static F32x16 weigh(float* scores, F32x16 largest, Seen seen) {
    F32x16 sum = V::fill(0);
    for (int s = 0; s < 4; ++s) {
      const F32x16 e = exp<V>(V::sub(V::load(scores + 16 * s), largest));
      const F32x16 p = only_seen<V>(e, seen, s, 0);
      V::store(scores + 16 * s, p);
      sum = V::add(sum, p);
    }
    return sum;
  }

  // out += the page's sums of weight * value
  static void add_values(const Call& call, int page, const float* weights, float* out) {
    const int64_t padded = padded_dim(call.shape);
    const float* values = call.head(page) + key_floats(call.shape);
    for (int64_t d = 0; d < padded; d += 16) {
      F32x16 sum[kTileRows];
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) sum[r] = V::fill(0);
      for (int t = 0; t < kPageTokens; ++t) {
        const F32x16 value = V::load(values + t * padded + d);
        QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) sum[r] =
            V::fma(value, V::fill(weights[r * kPageTokens + t]), sum[r]);
      }
      QUERN_UNROLL for (int r = 0; r < kTileRows; ++r) {
        float* to = out + r * padded + d;
        V::store(to, V::add(V::load(to), sum[r]));
      }
    }
  }
};

}  // namespace quern::cpu
