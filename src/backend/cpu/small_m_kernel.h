// GEMV and small-M kernels: one to four records of activations times a panel, codes read as they
// are packed. They are bound by memory bandwidth, so lines are read as one stream, each prefetched
// well ahead. Only where V::kReadsPacked.
#pragma once
#include "backend/cpu/packed_codes.h"
#include "backend/cpu/quantized_rows.h"

namespace quern::cpu {

// A unit of a panel.
template <class V>
struct UnitAt {
  const std::byte* at;  // scales
  const std::byte* codes;
  const std::byte* header;  // of ScaleKind::steps
  int64_t group;            // of activations, the unit's first
  int64_t ahead;  // bytes from what is read to what is prefetched: covers the latency of memory
};

// Layouts whose line pair p has codes of quads p, p + 8 and so on: these are read one after the
// other, so that a line is loaded once.
QUERN_INLINE constexpr bool is_split(Layout layout) {
  return layout != Layout::int2 && layout != Layout::int3 && layout != Layout::int8;
}

// Prefetches the share of step i of kSteps of the unit's lines of codes, `ahead` bytes further on:
// every line once, in order.
template <class V, Layout kLayout, int kSteps>
QUERN_SIMD void prefetch_codes(const std::byte* codes, int64_t ahead, int i) {
  constexpr int kLines = 2 * code_pairs(kLayout);
  QUERN_UNROLL for (int line = i * kLines / kSteps; line < (i + 1) * kLines / kSteps; ++line) {
    V::prefetch(codes + ahead + kLine * line);
  }
}

// Dot products of all groups of a unit, of kSize inputs each.
template <class V, Layout kLayout, int kSize, int kStrips, int kRecords, int kGroups>
QUERN_SIMD void dot_unit(const QuantizedRows& rows, const CodeTables<V>& tables,
                         const UnitAt<V>& unit, int strip,
                         typename V::I32x16 (&dots)[kGroups][kRecords][kStrips]) {
  constexpr int kTurns = unit_inputs(kLayout) / kQuad / 8;
  constexpr bool kWide = is_wide(kLayout), kWhole = kSize == kGroup;
  constexpr int kZero = kWide && V::kByteZero ? 0 : zero_point_of(kLayout);
  const bool from_zero = !kWide && rows.w->form.zero_point == 0;
  QUERN_UNROLL for (int g = 0; g < kGroups; ++g) {
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      const ActivationGroup& group = *rows.group(m, unit.group + g * kSize / kGroup);
      const auto begin = from_zero ? V::fill_i32(0) : dots_begin<V, kZero, kWhole>(group, g % 2);
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) dots[g][m][s] = begin;
    }
  }
  QUERN_UNROLL for (int i = 0; i < 8; ++i) {
    if (strip == 0) prefetch_codes<V, kLayout, 8>(unit.codes, unit.ahead, i);
    QUERN_UNROLL for (int j = 0; j < kTurns; ++j) {
      const int q = is_split(kLayout) ? 8 * j + i : kTurns * i + j;
      typename V::I32x16 four[kRecords];
      QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
        four[m] = V::broadcast_i32(rows.group(m, unit.group + q / 8)->code + kQuad * (q % 8));
      }
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        const auto bytes = read_quad<V, kLayout>(unit.codes + kLine * (strip + s), tables, q);
        QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
          auto& sum = dots[q * kQuad / kSize][m][s];
          sum = dot_quad<V, kWide>(sum, bytes, four[m]);
        }
      }
    }
  }
}

// Lanes whose scale is 0 are ignored, whatever their codes.
template <class V>
QUERN_SIMD typename V::I32x16 where_scaled(typename V::F32x16 scale, typename V::I32x16 dots) {
  const auto zero = V::fill(0.0f);
  return V::as_int(V::select(V::less(zero, V::abs(scale)), V::as_float(dots), zero));
}

// Dot products of group g of the unit and vector `s` of the panel into sums.
template <class V, Layout kLayout, int kSize, int kRecords, int kStrips>
QUERN_SIMD void scale_group(const QuantizedRows& rows, const IntegerForm& form, const Unit& layout,
                            const UnitAt<V>& unit, const UnitScale<V>& unit_scale, int g, int strip,
                            int s, typename V::I32x16 (&dots)[kRecords][kStrips],
                            typename V::F32x16 (&sum)[kRecords][2]) {
  const std::byte* at = unit.at + g * layout.scale_stride;
  const auto record = [&](int m) { return rows.group(m, unit.group + g * kSize / kGroup); };
  const auto scale = read_scale<V>(form, unit_scale, at, strip + s);
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
    auto dot = dots[m][s];
    if constexpr (kLayout == Layout::table4) dot = where_scaled<V>(scale, dot);
    auto& total = sum[m][strip + s];
    total = add_dots<V>(dot, V::as_int(scale), *record(m), total);
  }
  if (!form.has_offset) return;
  const auto offset = read_offset<V>(form, unit_scale, at + layout.offsets_at, strip + s);
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
    const auto* group = record(m);
    const float codes = kSize == kGroup ? group->scaled_sum : group->scaled_half_sums[g % 2];
    sum[m][strip + s] = V::fma(offset, V::fill(codes), sum[m][strip + s]);
  }
}

template <class V, Layout kLayout, int kSize, int kStrips, int kRecords>
QUERN_SIMD void add_unit(const QuantizedRows& rows, const IntegerForm& form,
                         const CodeTables<V>& tables, const Unit& layout, const UnitAt<V>& unit,
                         int strip, typename V::F32x16 (&sum)[kRecords][2]) {
  constexpr int kGroups = unit_inputs(kLayout) / kSize;
  typename V::I32x16 dots[kGroups][kRecords][kStrips];
  dot_unit<V, kLayout, kSize>(rows, tables, unit, strip, dots);
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const UnitScale<V> unit_scale = read_unit_scale<V>(form, unit.header, strip + s);
    QUERN_UNROLL for (int g = 0; g < kGroups; ++g) {
      scale_group<V, kLayout, kSize>(rows, form, layout, unit, unit_scale, g, strip, s, dots[g],
                                     sum);
    }
  }
}

template <class V, Layout kLayout, int kSize, ScaleKind kScales, int kRecords>
[[gnu::noinline]] void small_m_product(const QuantizedRows& rows, int64_t p) {
  const PackedMatrix& w = *rows.w;
  IntegerForm form = w.form;  // with the constants of this instance
  form.scales = kScales;
  if (kLayout != Layout::int2) form.step_bits = 8;
  const Unit layout(kLayout, form);
  const CodeTables<V> tables(form);
  const std::byte* panel = w.data.data() + p * layout.panel_bytes(w.n_in);
  typename V::F32x16 sum[kRecords][2];
  QUERN_UNROLL for (int m = 0; m < kRecords; ++m) sum[m][0] = sum[m][1] = V::fill(0.0f);
  UnitAt<V> unit{panel + layout.row_bytes, nullptr, nullptr, 0, w.tuning->ahead};
  const int64_t n_units = layout.count(w.n_in);
  for (int64_t u = 0; u < n_units; ++u) {
    if (layout.header_bytes && u % 4 == 0) {
      unit.header = unit.at;
      unit.at += layout.header_bytes;
      for (int i = 0; i < layout.header_bytes; i += kLine)
        V::prefetch(unit.header + unit.ahead + i);
    }
    for (int i = 0; i < layout.codes_at; i += kLine) V::prefetch(unit.at + unit.ahead + i);
    unit.codes = unit.at + layout.codes_at;
    add_unit<V, kLayout, kSize, V::kTileStrips>(rows, form, tables, layout, unit, 0, sum);
    if constexpr (V::kTileStrips == 1)
      add_unit<V, kLayout, kSize, 1>(rows, form, tables, layout, unit, 1, sum);
    unit.at += layout.bytes;
    unit.group += layout.k / kGroup;
  }
  const auto* row_scales = layout.row_bytes ? reinterpret_cast<const float*>(panel) : nullptr;
  QUERN_UNROLL for (int s = 0; s < 2; ++s) {
    typename V::F32x16 strip[kRecords];
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) strip[m] = sum[m][s];
    finish_sums<V>(rows, 0, p, s, row_scales, strip);
  }
}

// Records per call, at most: as many as their sums fit the registers.
template <class V>
QUERN_SIMD int small_m_records(const PackedMatrix& w) {
  const bool many_sums = w.layout == Layout::ternary || w.form.group == 16;
  return V::kTileStrips == 1 || many_sums ? 2 : 4;
}

template <class V, Layout kLayout, int kSize, ScaleKind kScales>
QUERN_SIMD void small_m_product_of(const QuantizedRows& rows, int64_t p) {
  constexpr bool kFour =
      V::kTileStrips == 2 && kSize == kGroup && kLayout != Layout::ternary;  // small_m_records
  switch (rows.n_records) {
    case 1:
      return small_m_product<V, kLayout, kSize, kScales, 1>(rows, p);
    case 2:
      return small_m_product<V, kLayout, kSize, kScales, 2>(rows, p);
    case 3:
      if constexpr (kFour) small_m_product<V, kLayout, kSize, kScales, 3>(rows, p);
      return;
    default:
      if constexpr (kFour) small_m_product<V, kLayout, kSize, kScales, 4>(rows, p);
  }
}

// Panel p of the product of at most small_m_records() records; false: there is no kernel for this
// matrix.
template <class V>
QUERN_SIMD bool multiply_small_m(const QuantizedRows& rows, int64_t p) {
  const auto with = [&]<Layout kLayout, int kSize, ScaleKind kScales> {
    const IntegerForm& form = rows.w->form;
    if (rows.w->layout != kLayout || form.group != kSize || form.scales != kScales) return false;
    small_m_product_of<V, kLayout, kSize, kScales>(rows, p);
    return true;
  };
  using enum Layout;
  return with.template operator()<int4, 32, ScaleKind::f16>() ||
         with.template operator()<int4, 32, ScaleKind::steps>() ||
         with.template operator()<int8, 32, ScaleKind::f16>() ||
         with.template operator()<int6, 16, ScaleKind::steps>() ||
         with.template operator()<int5, 32, ScaleKind::steps>() ||
         with.template operator()<int5, 32, ScaleKind::f16>() ||
         with.template operator()<int3, 16, ScaleKind::steps>() ||
         with.template operator()<int2, 16, ScaleKind::steps>() ||
         with.template operator()<table4, 32, ScaleKind::f16>() ||
         with.template operator()<table4, 32, ScaleKind::power>() ||
         with.template operator()<table4, 32, ScaleKind::steps>() ||
         with.template operator()<table4, 16, ScaleKind::steps>() ||
         with.template operator()<ternary, 32, ScaleKind::one>();
}

}  // namespace quern::cpu
