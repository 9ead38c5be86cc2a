// The GEMM kernel: K-blocks of a panel expanded to bytes and f32 scales, and their products with
// tiles of up to V::kTileRows records: 32 outputs x the tile in registers. One loop for all
// formats; each K-block is unpacked once for all tiles.
#pragma once
#include "backend/cpu/packed_codes.h"
#include "backend/cpu/quantized_rows.h"

namespace quern::cpu {

inline constexpr int kExpandedGroups = 32;         // groups of 32 inputs of a K-block, at most
inline constexpr int kGroupBytes = 2 * 8 * kLine;  // codes of a group: 8 quads of two strips

// The zero point of expanded codes, where it is not 0; of int8 and table4 128. Vocabularies with
// add_bytes have signed bytes instead, whose zero is 0.
inline constexpr int kExpandedZero = 32;
template <class V>
inline constexpr bool kSignedBytes = requires(typename V::I32x16 v) {
  V::add_bytes(v, v);
};

// What added to packed codes gives expanded ones.
template <class V>
QUERN_SIMD int raise_by(Layout layout, const IntegerForm& form) {
  if (is_wide(layout)) return kSignedBytes<V> ? -128 : 0;
  if (form.zero_point == 0) return 0;
  return (kSignedBytes<V> ? 0 : kExpandedZero) - zero_point_of(layout);
}
template <class V>
QUERN_SIMD typename V::I32x16 raise(typename V::I32x16 codes, typename V::I32x16 by) {
  if constexpr (kSignedBytes<V>) {
    return V::add_bytes(codes, by);
  } else {
    return V::add(codes, by);
  }
}

// A K-block of units. Codes are laid out as in int8 units; a vector of scales is 32 f32, one for
// each `group` inputs.
struct Expanded {
  alignas(64) std::byte code_bytes[kExpandedGroups * kGroupBytes];
  alignas(64) float scales[2 * kExpandedGroups][kPanelRows];
  alignas(64) float offsets[2 * kExpandedGroups][kPanelRows];  // of formats that have them
  const std::byte* codes;  // of the first group: code_bytes, or the packed ones
  int64_t two_groups;      // bytes from a group to the next but one
};

template <class V>
QUERN_SIMD void expand_trits(const std::byte* codes, typename V::I32x16 up, std::byte* out) {
  for (int line = 0; line < 2 * code_pairs(Layout::ternary); ++line) {
    const Trits<V> trits = read_trits<V>(codes + kLine * line);
    QUERN_UNROLL for (int i = 0; i < kTrits - 1; ++i) {
      V::store_i32(out + kLine * line + kGroupBytes * i, raise<V>(trit<V>(trits, i), up));
    }
    V::store_i32(out + kLine * line + kGroupBytes * (kTrits - 1), raise<V>(trits.fifth, up));
  }
}

template <class V, Layout kLayout>
[[gnu::noinline]] void expand_codes(const PackedMatrix& w, const Unit& unit, const std::byte* panel,
                                    int64_t first_unit, int n_units, std::byte* out) {
  constexpr int kQuads = unit_inputs(kLayout) / kQuad;
  const CodeTables<V> tables(w.form);
  const auto up = fill_bytes<V>(raise_by<V>(kLayout, w.form) & 255);
  for (int u = 0; u < n_units; ++u) {
    const std::byte* codes = panel + unit.at(first_unit + u) + unit.codes_at;
    if constexpr (kLayout == Layout::ternary) {
      expand_trits<V>(codes, up, out);
    } else {
      QUERN_UNROLL for (int q = 0; q < kQuads; ++q) {
        QUERN_UNROLL for (int s = 0; s < 2; ++s) {
          auto bytes = read_quad<V, kLayout>(codes + kLine * s, tables, q);
          if constexpr (!is_wide(kLayout) || kSignedBytes<V>) bytes = raise<V>(bytes, up);
          V::store_i32(out + kLine * (2 * q + s), bytes);
        }
      }
    }
    out += unit.k / kGroup * kGroupBytes;
  }
}

// The zero point where a scale is 0, as the packed code may be anything there (table4).
template <class V>
QUERN_SIMD void clear_unscaled(const float* scales, int n_quads, std::byte* codes) {
  for (int s = 0; s < 2; ++s) {
    const auto zero = V::fill(0.0f);
    const auto scaled = V::less(zero, V::abs(V::load(scales + kStripRows * s)));
    const auto none = fill_bytes<V>(kSignedBytes<V> ? 0 : 128);
    for (int q = 0; q < n_quads; ++q) {
      std::byte* line = codes + kLine * (2 * q + s);
      const auto kept = V::as_float(V::load_i32(line));
      V::store_i32(line, V::as_int(V::select(scaled, kept, V::as_float(none))));
    }
  }
}

template <class V>
[[gnu::noinline]] void expand_scales(const PackedMatrix& w, const Unit& unit,
                                     const std::byte* panel, int64_t first_unit, int n_units,
                                     Expanded& out) {
  const int per_unit = unit.k / unit.group;
  for (int i = 0; i < n_units * per_unit; ++i) {
    const int64_t u = first_unit + i / per_unit;
    const std::byte* at = panel + unit.at(u);
    const std::byte* header = panel + unit.at(u / 4 * 4) - unit.header_bytes;
    const std::byte* scales = at + i % per_unit * unit.scale_stride;
    for (int s = 0; s < 2; ++s) {
      const UnitScale<V> unit_scale = read_unit_scale<V>(w.form, header, s);
      V::store(out.scales[i] + kStripRows * s, read_scale<V>(w.form, unit_scale, scales, s));
      if (!w.form.has_offset) continue;
      V::store(out.offsets[i] + kStripRows * s,
               read_offset<V>(w.form, unit_scale, scales + unit.offsets_at, s));
    }
  }
}

// Units [first, first + n) of a panel, at most kExpandedGroups groups.
template <class V>
void expand(const PackedMatrix& w, const Unit& unit, const std::byte* panel, int64_t first, int n,
            Expanded& out) {
  out.codes = out.code_bytes;
  out.two_groups = 2 * kGroupBytes;
  expand_scales<V>(w, unit, panel, first, n, out);
  const auto codes = [&]<Layout kLayout> {
    expand_codes<V, kLayout>(w, unit, panel, first, n, out.code_bytes);
  };
  switch (w.layout) {
    case Layout::int2:
      return codes.template operator()<Layout::int2>();
    case Layout::int3:
      return codes.template operator()<Layout::int3>();
    case Layout::int4:
      return codes.template operator()<Layout::int4>();
    case Layout::int5:
      return codes.template operator()<Layout::int5>();
    case Layout::int6:
      return codes.template operator()<Layout::int6>();
    case Layout::ternary:
      return codes.template operator()<Layout::ternary>();
    case Layout::table4:
      codes.template operator()<Layout::table4>();
      for (int i = 0; i < n * unit.k / unit.group; ++i) {
        clear_unscaled<V>(out.scales[i], unit.group / kQuad,
                          out.code_bytes + i * unit.group / kGroup * kGroupBytes);
      }
      return;
    default:  // int8: bytes already
      if constexpr (kSignedBytes<V>) return codes.template operator()<Layout::int8>();
      out.codes = panel + unit.at(first) + unit.codes_at;
      out.two_groups = unit.bytes;
  }
}

// Tiles of rows that share a K-block, at most, and the rows of one.
QUERN_INLINE int block_tiles(const PackedMatrix& w) {
  const int n = w.tuning->block_tiles;
  return n < 1 ? 1 : n > kMaxBlockTiles ? kMaxBlockTiles : n;
}
template <class V>
QUERN_SIMD int tile_rows(const PackedMatrix& w, int row_records) {
  const int n = w.tuning->tile_rows;
  const int records = n < 1 || n > V::kTileRows ? V::kTileRows : n;
  return records < row_records ? 1 : records / row_records;
}

// A tile of records over a K-block.
struct ExpandedTile {
  const QuantizedRows* rows;
  const Expanded* w;
  int first_record;
  int64_t first_group;
  int n_groups;
  float* sums;  // (V::kTileRows, 32): in, unless it is the first K-block, and out
  bool is_first;
  int zero;                // of the expanded codes: 0, 32 or 128
  const std::byte* ahead;  // packed weights to prefetch, `ahead_step` bytes per quad
  int64_t ahead_step;
};

// The part of a group, kQuads quads from kFirst on, that shares a scale.
template <class V, bool kWide, int kFirst, int kQuads, int kStrips, int kRecords>
QUERN_SIMD void add_expanded_group(const ExpandedTile& t, const std::byte* codes,
                                   const float* scales, const float* offsets,
                                   const ActivationGroup* groups, int64_t stride, int strip,
                                   const std::byte*& ahead,
                                   typename V::F32x16 (&sum)[kRecords][kStrips]) {
  constexpr bool kWhole = kQuads == 8;
  const auto record = [&](int m) -> const ActivationGroup& {
    return *reinterpret_cast<const ActivationGroup*>(reinterpret_cast<const std::byte*>(groups) +
                                                     m * stride);
  };
  typename V::I32x16 dots[kRecords][kStrips];
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
    const auto begin = t.zero == 0 ? V::fill_i32(0)
                       : t.zero == kExpandedZero
                           ? dots_begin<V, kExpandedZero, kWhole>(record(m), kFirst / 4)
                           : dots_begin<V, 128, kWhole>(record(m), kFirst / 4);
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) dots[m][s] = begin;
  }
  QUERN_UNROLL for (int q = kFirst; q < kFirst + kQuads; ++q) {
    V::prefetch(ahead);
    ahead += t.ahead_step;
    typename V::I32x16 bytes[kStrips];
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
      bytes[s] = V::load_i32(codes + kLine * (2 * q + strip + s));
    }
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      const auto four = V::broadcast_i32(record(m).code + 4 * q);
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        dots[m][s] = dot_quad<V, kWide>(dots[m][s], bytes[s], four);
      }
    }
  }
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const auto scale = V::as_int(V::load(scales + kStripRows * (strip + s)));
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      sum[m][s] = add_dots<V>(dots[m][s], scale, record(m), sum[m][s]);
    }
  }
  if (!offsets) return;
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const auto offset = V::load(offsets + kStripRows * (strip + s));
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      const float total = kWhole ? record(m).scaled_sum : record(m).scaled_half_sums[kFirst / 4];
      sum[m][s] = V::fma(offset, V::fill(total), sum[m][s]);
    }
  }
}

template <class V, bool kWide, int kSize, int kRecords>
[[gnu::noinline]] void multiply_tile(const ExpandedTile& t) {
  constexpr int kStrips = V::kTileStrips;
  const int64_t stride = t.rows->record_stride;
  const bool has_offset = t.rows->w->form.has_offset;
  for (int strip = 0; strip < 2; strip += kStrips) {
    typename V::F32x16 sum[kRecords][kStrips];
    float* sums = t.sums + kStripRows * strip;
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        sum[m][s] = t.is_first ? V::fill(0.0f) : V::load(sums + kPanelRows * m + kStripRows * s);
      }
    }
    const ActivationGroup* groups = t.rows->group(t.first_record, t.first_group);
    const std::byte* ahead = t.ahead;
    const float *scales = t.w->scales[0], *offsets = has_offset ? t.w->offsets[0] : nullptr;
    for (int g = 0; g < t.n_groups; ++g, ++groups) {
      const std::byte* codes = t.w->codes + g / 2 * t.w->two_groups + g % 2 * kGroupBytes;
      if constexpr (kSize == kGroup) {
        add_expanded_group<V, kWide, 0, 8>(t, codes, scales, offsets, groups, stride, strip, ahead,
                                           sum);
        scales += kPanelRows;
        if (offsets) offsets += kPanelRows;
      } else {
        add_expanded_group<V, kWide, 0, 4>(t, codes, scales, offsets, groups, stride, strip, ahead,
                                           sum);
        add_expanded_group<V, kWide, 4, 4>(t, codes, scales + kPanelRows,
                                           offsets ? offsets + kPanelRows : nullptr, groups, stride,
                                           strip, ahead, sum);
        scales += 2 * kPanelRows;
        if (offsets) offsets += 2 * kPanelRows;
      }
    }
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        V::store(sums + kPanelRows * m + kStripRows * s, sum[m][s]);
      }
    }
  }
}

// Tiles of equal size have at least half of the maximum of records.
template <class V, bool kWide, int kSize, int kRecords = V::kTileRows>
QUERN_SIMD void multiply_tile_of(int n_records, const ExpandedTile& t) {
  if (n_records == kRecords) return multiply_tile<V, kWide, kSize, kRecords>(t);
  if constexpr (kRecords > 1) multiply_tile_of<V, kWide, kSize, kRecords - 1>(n_records, t);
}

// Two records at once, of codes in another order (expanded_pairs.h).
template <class V>
void interleave_k_block(int n_groups, Expanded& w);
template <class V>
void multiply_pairs_any(int n_records, const ExpandedTile& t);

template <class V>
QUERN_SIMD void multiply_tile_any(int n_records, const ExpandedTile& t) {
  if constexpr (V::kMultipliesPairs) return multiply_pairs_any<V>(n_records, t);
  const PackedMatrix& w = *t.rows->w;
  constexpr bool kDiffers = V::kByteZero != 0;  // wide and small bytes are different instructions
  const bool by_16 = w.form.group == 16;
  if (kDiffers && is_wide(w.layout)) {
    return by_16 ? multiply_tile_of<V, kDiffers, 16>(n_records, t)
                 : multiply_tile_of<V, kDiffers, 32>(n_records, t);
  }
  return by_16 ? multiply_tile_of<V, false, 16>(n_records, t)
               : multiply_tile_of<V, false, 32>(n_records, t);
}

template <class V>
QUERN_SIMD void finish_record(const QuantizedRows& rows, int record, int64_t p,
                              const float* row_scales, const float* sums) {
  QUERN_UNROLL for (int s = 0; s < 2; ++s) {
    const float* at = sums + kStripRows * s;
    if (rows.pairs) {
      typename V::F32x16 two[2] = {V::load(at), V::load(at + kPanelRows)};
      finish_sums<V>(rows, record, p, s, row_scales, two);
    } else {
      typename V::F32x16 one[1] = {V::load(at)};
      finish_sums<V>(rows, record, p, s, row_scales, one);
    }
  }
}

template <class V>
QUERN_SIMD int expanded_zero(const PackedMatrix& w) {
  if (is_wide(w.layout)) return V::kByteZero ? 0 : 128;
  return w.form.zero_point ? kExpandedZero : 0;
}

// Panel p of the product of at most block_tiles() tiles of records.
template <class V>
void multiply_expanded(const QuantizedRows& rows, int64_t p) {
  const PackedMatrix& w = *rows.w;
  const Unit unit(w.layout, w.form);
  const std::byte* panel = w.data.data() + p * unit.panel_bytes(w.n_in);
  const int row_records = rows.pairs ? 2 : 1, at_once = tile_rows<V>(w, row_records);
  const int n_tiles = (rows.n_rows() + at_once - 1) / at_once;
  // Tiles of equal size: 8 rows are 4 + 4.
  const auto first_of = [&](int tile) { return rows.n_rows() * tile / n_tiles * row_records; };
  // The next K-block is prefetched while this one is used: with few tiles that is soon.
  const int most = n_tiles > 1 ? kExpandedGroups : kExpandedGroups / 4;
  const int unit_groups = unit.k / kGroup, step = most / unit_groups;
  const int64_t n_units = unit.count(w.n_in);
  Expanded expanded;
  alignas(64) float sums[kMaxBlockTiles][V::kTileRows][kPanelRows];
  for (int64_t first = 0; first < n_units; first += step) {
    const int n = static_cast<int>(n_units - first < step ? n_units - first : step);
    expand<V>(w, unit, panel, first, n, expanded);
    if constexpr (V::kMultipliesPairs) interleave_k_block<V>(n * unit_groups, expanded);
    const int64_t bytes = unit.at(first + n) - unit.at(first), share = bytes / n_tiles;
    for (int tile = 0; tile < n_tiles; ++tile) {
      const ExpandedTile t{.rows = &rows,
                           .w = &expanded,
                           .first_record = first_of(tile),
                           .first_group = first * unit_groups,
                           .n_groups = n * unit_groups,
                           .sums = sums[tile][0],
                           .is_first = first == 0,
                           .zero = expanded_zero<V>(w),
                           .ahead = panel + unit.at(first) + bytes + tile * share,
                           .ahead_step = share / (8 * n * unit_groups)};
      multiply_tile_any<V>(first_of(tile + 1) - first_of(tile), t);
    }
  }
  const auto* row_scales = unit.row_bytes ? reinterpret_cast<const float*>(panel) : nullptr;
  for (int tile = 0; tile < n_tiles; ++tile) {
    for (int m = first_of(tile); m < first_of(tile + 1); m += row_records) {
      finish_record<V>(rows, m, p, row_scales, sums[tile][m - first_of(tile)]);
    }
  }
}

}  // namespace quern::cpu
