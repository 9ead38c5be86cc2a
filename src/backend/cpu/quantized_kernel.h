// Panels of int4 or int8 weights times rows of int8 activations.
//
// A register tile is kStrips strips of 16 outputs x kRows rows over all inputs. Per group of 32
// inputs the dot products are exact integers; then, in f32 and in this order,
//   sum = fma(float(dot), weight_scale * 2^e, sum)              2^e: of the group of activations
//   sum = fma(offset, 2^e * sum_of_activation_codes, sum)       if the format has offsets
// Formats with scales per 16, or a zero point other than 0 or 8, do this for each half of the
// group. At the end the sum is multiplied by the row's factor; of a row in two terms, both sums,
// and the second is added to the first. So an output depends on its row and its column alone.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// The part of a product one tile computes: weights at the panel's first unit, activations at the
// tile's first row, results at that row and the panel's first output.
struct QuantizedTile {
  const PackedMatrix* w;
  const std::byte* panel;
  const std::byte* records;
  int64_t record_stride;
  bool pairs;  // records 2i and 2i + 1 are the two terms of row i
  float* out;
  int64_t out_stride;
  const float* bias;  // of the panel's first output, or null
  bool add;
  const std::byte* ahead;  // weights to prefetch: `ahead_step` bytes per line of codes
  int64_t ahead_step;
};

template <class V>
QUERN_SIMD typename V::F32x16 load_scales(const std::byte* at, bool f16) {
  return f16 ? V::load_f16(reinterpret_cast<const uint16_t*>(at))
             : V::load(reinterpret_cast<const float*>(at));
}

template <class V, int kStrips, int kRows>
QUERN_SIMD void store_tile(const typename V::F32x16 (&sum)[kRows][kStrips], float* out,
                           int64_t out_stride, const float* bias, bool add, int strip) {
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const int at = kStripRows * (strip + s);
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      auto v = sum[m][s];
      if (bias) v = V::add(v, V::load(bias + at));
      if (add) v = V::add(V::load(out + m * out_stride + at), v);
      V::store(out + m * out_stride + at, v);
    }
  }
}

template <class V, Layout kLayout, int kHalf>
QUERN_SIMD auto load_codes(const std::byte* line) {
  if constexpr (kLayout == Layout::int8) {
    return V::bytes(line);
  } else if constexpr (kHalf == 0) {
    return V::low_nibbles(line);
  } else {
    return V::high_nibbles(line);
  }
}

// How many times too large the integers of a half of the unit are.
template <class V, Layout kLayout, int kHalf>
inline constexpr int kTimes = kLayout == Layout::int4&& kHalf == 1 ? V::kHighNibble : 1;

// Scales of integers that are kTimes too large, to be used with exponents added alone: a scale of 0
// becomes nonsense until then.
template <class V, int kTimes>
QUERN_SIMD typename V::I32x16 exponent_ready(typename V::F32x16 scale) {
  static_assert(kTimes == 1 || kTimes == 16);
  if constexpr (kTimes == 1) return V::as_int(scale);
  return V::sub(V::as_int(scale), V::fill_i32(kLeastExponent << 23));
}

// 16 outputs' dot products with one row become f32.
template <class V>
QUERN_SIMD typename V::F32x16 add_dots(typename V::I32x16 dots, typename V::I32x16 weight_scale,
                                       const ActivationGroup& group, typename V::F32x16 sum) {
  const auto scale = V::as_float(V::add(weight_scale, V::broadcast_i32(&group.exponent)));
  return V::fma(V::to_float(dots), scale, sum);
}

// Sums of records become outputs of rows.
template <class V, int kStrips, int kRows>
QUERN_SIMD void finish_tile(const QuantizedTile& t, int64_t factor_at, int strip,
                            typename V::F32x16 (&sum)[kRows][kStrips]) {
  QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
    const auto* at =
        reinterpret_cast<const ActivationFactor*>(t.records + m * t.record_stride + factor_at);
    const auto factor = V::fill(at->factor);
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = V::mul(sum[m][s], factor);
  }
  if constexpr (kRows % 2 == 0) {
    if (t.pairs) {
      typename V::F32x16 whole[kRows / 2][kStrips];
      QUERN_UNROLL for (int m = 0; m < kRows / 2; ++m) {
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) whole[m][s] =
            V::add(sum[2 * m][s], sum[2 * m + 1][s]);
      }
      return store_tile<V>(whole, t.out, t.out_stride, t.bias, t.add, strip);
    }
  }
  store_tile<V>(sum, t.out, t.out_stride, t.bias, t.add, strip);
}

// One group of 32 inputs, half kHalf of a unit: lines [first, last) of its 8, one scale for them.
template <class V, Layout kLayout, int kHalf, int kLines, int kFirst, int kStrips, int kRows>
QUERN_SIMD void dot_lines(const std::byte* codes, const std::byte* records, int64_t record_stride,
                          const std::byte*& ahead, int64_t ahead_step,
                          typename V::I32x16 (&dots)[kRows][kStrips]) {
  QUERN_UNROLL for (int j = kFirst; j < kFirst + kLines; ++j) {
    V::prefetch(ahead);
    ahead += ahead_step;
    decltype(load_codes<V, kLayout, kHalf>(codes)) w[kStrips];
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
      w[s] = load_codes<V, kLayout, kHalf>(codes + kLine * (2 * j + s));
    }
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      const auto four = V::broadcast_i32(records + m * record_stride + 4 * j);
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) dots[m][s] = V::dot(dots[m][s], w[s], four);
    }
  }
}

// A group with one scale per 32 inputs.
template <class V, Layout kLayout, int kHalf, int kStrips, int kRows>
QUERN_SIMD void add_group(const QuantizedTile& t, const Unit& unit, const std::byte* at, int strip,
                          const std::byte* records, const std::byte*& ahead,
                          typename V::F32x16 (&sum)[kRows][kStrips]) {
  constexpr int kTimesHere = kTimes<V, kLayout, kHalf>;
  typename V::I32x16 dots[kRows][kStrips];
  const int zero =
      t.w->form.zero_point + (kLayout == Layout::int8 ? 128 - V::kByteZero : 0);  // 0, 8 or 128
  const bool from_zero = zero == 0;
  const int64_t start = zero * kTimesHere == 8 ? offsetof(ActivationGroup, start8)
                                               : offsetof(ActivationGroup, start128);
  QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
    const auto begin =
        from_zero ? V::fill_i32(0) : V::broadcast_i32(records + m * t.record_stride + start);
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) dots[m][s] = begin;
  }
  dot_lines<V, kLayout, kHalf, 8, 0>(at + unit.codes_at() + kLine * strip, records, t.record_stride,
                                     ahead, t.ahead_step, dots);
  const std::byte* scales =
      at + kHalf * unit.scale_stride() + kStripRows * strip * unit.scale_bytes;
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const auto scale = exponent_ready<V, kTimesHere>(
        load_scales<V>(scales + kStripRows * s * unit.scale_bytes, unit.scale_bytes == 2));
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      const auto* row = reinterpret_cast<const ActivationGroup*>(records + m * t.record_stride);
      sum[m][s] = add_dots<V>(dots[m][s], scale, *row, sum[m][s]);
    }
  }
  if (!unit.has_offset) return;
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const auto offset = load_scales<V>(
        scales + unit.offsets_at() + kStripRows * s * unit.scale_bytes, unit.scale_bytes == 2);
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      const auto* row = reinterpret_cast<const ActivationGroup*>(records + m * t.record_stride);
      sum[m][s] = V::fma(offset, V::fill(row->scaled_sum), sum[m][s]);
    }
  }
}

// A group in halves of 16 inputs, with any zero point.
template <class V, Layout kLayout, int kHalf, int kStrips, int kRows>
QUERN_SIMD void add_group_in_halves(const QuantizedTile& t, const Unit& unit, const std::byte* at,
                                    int strip, const std::byte* records, const std::byte*& ahead,
                                    typename V::F32x16 (&sum)[kRows][kStrips]) {
  constexpr int kTimesHere = kTimes<V, kLayout, kHalf>;
  const int zero = t.w->form.zero_point + (kLayout == Layout::int8 ? 128 - V::kByteZero : 0);
  const std::byte* codes = at + unit.codes_at() + kLine * strip;
  const int per_group = t.w->form.group == 16 ? 2 : 1;
  for (int half = 0; half < 2; ++half) {
    typename V::I32x16 dots[kRows][kStrips];
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      const auto* row = reinterpret_cast<const ActivationGroup*>(records + m * t.record_stride);
      const auto begin = V::fill_i32(-zero * kTimesHere * row->half_sums[half]);
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) dots[m][s] = begin;
    }
    dot_lines<V, kLayout, kHalf, 4, 0>(codes + 8 * kLine * half, records + 16 * half,
                                       t.record_stride, ahead, t.ahead_step, dots);
    const std::byte* scales = at +
                              (per_group * kHalf + half * (per_group - 1)) * unit.scale_stride() +
                              kStripRows * strip * unit.scale_bytes;
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
      const std::byte* here = scales + kStripRows * s * unit.scale_bytes;
      const auto scale = exponent_ready<V, kTimesHere>(load_scales<V>(here, unit.scale_bytes == 2));
      QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
        const auto* row = reinterpret_cast<const ActivationGroup*>(records + m * t.record_stride);
        sum[m][s] = add_dots<V>(dots[m][s], scale, *row, sum[m][s]);
      }
      if (!unit.has_offset) continue;
      const auto offset = load_scales<V>(here + unit.offsets_at(), unit.scale_bytes == 2);
      QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
        const auto* row = reinterpret_cast<const ActivationGroup*>(records + m * t.record_stride);
        sum[m][s] = V::fma(offset, V::fill(row->scaled_half_sums[half]), sum[m][s]);
      }
    }
  }
}

template <class V, Layout kLayout, bool kInHalves, int kStrips, int kRows>
[[gnu::noinline]] void multiply_tile(const QuantizedTile& t) {
  const Unit unit(kLayout, t.w->form);
  const int64_t n_units = unit.count(t.w->n_in);
  for (int strip = 0; strip < kPanelRows / kStripRows; strip += kStrips) {
    typename V::F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = V::fill(0.0f);
    }
    const std::byte* at = t.panel;
    const std::byte* records = t.records;
    const std::byte* ahead = t.ahead;
    for (int64_t u = 0; u < n_units; ++u, at += unit.bytes()) {
      if constexpr (kInHalves) {
        add_group_in_halves<V, kLayout, 0>(t, unit, at, strip, records, ahead, sum);
      } else {
        add_group<V, kLayout, 0>(t, unit, at, strip, records, ahead, sum);
      }
      records += sizeof(ActivationGroup);
      if constexpr (kLayout == Layout::int4) {
        // Read the lines again rather than keep sixteen of them: registers are all taken.
        asm volatile("" ::: "memory");
        if constexpr (kInHalves) {
          add_group_in_halves<V, kLayout, 1>(t, unit, at, strip, records, ahead, sum);
        } else {
          add_group<V, kLayout, 1>(t, unit, at, strip, records, ahead, sum);
        }
        records += sizeof(ActivationGroup);
      }
    }
    const auto factor_at =
        activation_groups(t.w->n_in) * static_cast<int64_t>(sizeof(ActivationGroup));
    finish_tile<V>(t, factor_at, strip, sum);
  }
}

template <class V, Layout kLayout, bool kInHalves, int kRows = V::kTileRows>
QUERN_SIMD void multiply_rows(int n_rows, const QuantizedTile& t) {
  if (n_rows == kRows) return multiply_tile<V, kLayout, kInHalves, V::kTileStrips, kRows>(t);
  if constexpr (kRows > 1) multiply_rows<V, kLayout, kInHalves, kRows - 1>(n_rows, t);
}

template <class V>
QUERN_SIMD void multiply_any(int n_rows, const QuantizedTile& t) {
  const IntegerForm& form = t.w->form;
  const bool in_halves = form.group == 16 || (form.zero_point != 0 && form.zero_point != 8) ||
                         (form.zero_point != 0 && form.bits == 8);
  if (t.w->layout == Layout::int4) {
    return in_halves ? multiply_rows<V, Layout::int4, true>(n_rows, t)
                     : multiply_rows<V, Layout::int4, false>(n_rows, t);
  }
  return in_halves ? multiply_rows<V, Layout::int8, true>(n_rows, t)
                   : multiply_rows<V, Layout::int8, false>(n_rows, t);
}

// Rows are taken in blocks whose activations stay in the second-level cache; within a block each
// panel meets all tiles, and every tile fetches its share of the next panel.
template <class V>
void multiply_quantized(const PackedMatrix& w, const std::byte* records, int64_t row_stride,
                        int n_rows, int terms, int64_t first_panel, int64_t last_panel,
                        const Epilogue& epilogue) {
  constexpr int kBlockTiles = 20;
  const Unit unit(w.layout, w.form);
  const int64_t n_units = unit.count(w.n_in), panel_bytes = n_units * unit.bytes();
  const int64_t steps = n_units * (w.layout == Layout::int4 ? 16 : 8);
  const int tile_rows = V::kTileRows / terms;
  const int n_tiles = (n_rows + tile_rows - 1) / tile_rows;
  for (int block = 0; block < n_tiles; block += kBlockTiles) {
    const int last = n_tiles < block + kBlockTiles ? n_tiles : block + kBlockTiles;
    const int64_t share = panel_bytes / (last - block);
    for (int64_t p = first_panel; p < last_panel; ++p) {
      for (int tile = block; tile < last; ++tile) {
        // Tiles of equal size: 8 rows are 4 + 4.
        const int64_t row = int64_t{n_rows} * tile / n_tiles;
        const int64_t end = int64_t{n_rows} * (tile + 1) / n_tiles;
        const std::byte* panel = w.data.data() + p * panel_bytes;
        const int64_t at = kPanelRows * p;
        QuantizedTile t{.w = &w,
                        .panel = panel,
                        .records = records + row * row_stride,
                        .record_stride = row_stride / terms,
                        .pairs = terms == 2,
                        .out = epilogue.out + row * epilogue.out_stride + at,
                        .out_stride = epilogue.out_stride,
                        .bias = epilogue.bias ? epilogue.bias + at : nullptr,
                        .add = epilogue.add,
                        .ahead = panel + panel_bytes + (tile - block) * share,
                        .ahead_step = share / steps};
        if (last - block == 1) t.ahead = panel + 4608;
        multiply_any<V>(static_cast<int>(end - row) * terms, t);
      }
    }
  }
}

}  // namespace quern::cpu
