// Access to the packed layouts (packed_layout.h) for the kernels: codes of one quad as
// bytes, scales and offsets of one group as f32, and units turned into plain bytes and f32.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"
#include "backend/cpu/ternary_code.h"

namespace quern::cpu {

// --- Codes

template <class V>
QUERN_SIMD typename V::I32x16 fill_bytes(int byte) {
  return V::fill_i32(static_cast<int32_t>(0x01010101u * static_cast<uint32_t>(byte)));
}

// Bits [from, from + count) of every byte, moved to `to`. Callers' loops are unrolled, so that the
// numbers are constants.
template <class V>
QUERN_SIMD typename V::I32x16 bits(typename V::I32x16 x, int from, int count, int to) {
  if (to > from) x = V::shift_left_by(x, to - from);
  if (to < from) x = V::shift_right_by(x, from - to);
  return V::bit_and(x, fill_bytes<V>(((1 << count) - 1) << to));
}

// The constants of reading codes; made once per product.
template <class V>
struct CodeTables {
  typename V::I32x16 values;  // of table4: the 16 values + 128, four times

  QUERN_INLINE explicit CodeTables(const IntegerForm& form) : values(V::fill_i32(0)) {
    if (!form.values) return;
    alignas(64) uint8_t bytes[64];
    for (int i = 0; i < 64; ++i) bytes[i] = static_cast<uint8_t>(form.values[i % 16] + 128);
    values = V::load_i32(bytes);
  }
};

// A line of ternary codes: of every byte the first four codes as fields of two bits, and the fifth.
template <class V>
struct Trits {
  typename V::I32x16 four, fifth;
};
template <class V>
QUERN_SIMD Trits<V> read_trits(const std::byte* line) {
  const auto x = V::load_i32(line);
  const auto look_up = [&](const auto& table) { return V::look_up_64(table.data(), x); };
  return {V::where_top_two(x, look_up(kTernaryTables.large), look_up(kTernaryTables.small)),
          V::where_top_two(x, look_up(kTernaryTables.fifth), bits<V>(x, 6, 2, 0))};
}
template <class V>
QUERN_SIMD typename V::I32x16 trit(const Trits<V>& trits, int i) {
  return i == 4 ? trits.fifth : bits<V>(trits.four, 2 * i, 2, 0);
}

// Layouts whose bytes may be above 127.
QUERN_INLINE constexpr bool is_wide(Layout layout) {
  return layout == Layout::int8 || layout == Layout::table4;
}

// Quad q of a unit as bytes, for the 16 rows of one strip: the code; of int8 and table4 + 128.
// `codes`: the strip's first line.
template <class V, Layout kLayout>
QUERN_SIMD typename V::I32x16 read_quad(const std::byte* codes, const CodeTables<V>& tables,
                                        int q) {
  const auto line = [&](int pair) { return V::load_i32(codes + 2 * kLine * pair); };
  if constexpr (kLayout == Layout::int8) {
    return line(q);
  } else if constexpr (kLayout == Layout::ternary) {
    return trit<V>(read_trits<V>(codes + 2 * kLine * (q % 8)), q / 8);
  } else if constexpr (kLayout == Layout::int2 || kLayout == Layout::int3) {
    const auto low = bits<V>(line(q / 4), 2 * (q % 4), 2, 0);
    if constexpr (kLayout == Layout::int2) return low;
    return V::bit_or(low, bits<V>(line(4 + q / 8), q % 8, 1, 2));
  } else {
    const auto nibble = bits<V>(line(q % 8), q / 8 * 4, 4, 0);
    if constexpr (kLayout == Layout::table4) return V::look_up_16(tables.values, nibble);
    if constexpr (kLayout == Layout::int5)
      return V::bit_or(nibble, bits<V>(line(8 + q / 8), q % 8, 1, 4));
    if constexpr (kLayout == Layout::int6)
      return V::bit_or(nibble, bits<V>(line(8 + q / 4), 2 * (q % 4), 2, 4));
    return nibble;
  }
}

// What the sums of dot products begin with, for bytes whose zero is kZero: a power of two, or 0.
template <class V, int kZero, bool kWhole>
QUERN_SIMD typename V::I32x16 dots_begin(const ActivationGroup& group, int half) {
  if constexpr (kZero == 0) return V::fill_i32(0);
  if constexpr (kZero == 128 && kWhole) return V::broadcast_i32(&group.start128);
  const auto start = V::broadcast_i32(kWhole ? &group.start : &group.half_starts[half]);
  if constexpr (kZero == 128) return V::template shift_left<2>(start);
  if constexpr (kZero == 32) return start;
  constexpr int kLess = kZero == 16 ? 1 : kZero == 8 ? 2 : kZero == 4 ? 3 : 5;
  return V::template shift_right_signed<kLess>(start);
}

// Sum of dot products of 16 rows with four activations.
template <class V, bool kWide>
QUERN_SIMD typename V::I32x16 dot_quad(typename V::I32x16 sum, typename V::I32x16 bytes,
                                       typename V::I32x16 four) {
  if constexpr (kWide) {
    return V::dot(sum, V::bytes(bytes), four);
  } else {
    return V::dot(sum, V::small(bytes), four);
  }
}

// --- Scales

// The numbers before a unit that its steps are multiplied by, for the 16 rows of a strip; 1 and 0
// where there are none.
template <class V>
struct UnitScale {
  typename V::F32x16 d, dmin;
};
template <class V>
QUERN_SIMD UnitScale<V> read_unit_scale(const IntegerForm& form, const std::byte* header,
                                        int strip) {
  UnitScale<V> scale{V::fill(1.0f), V::fill(0.0f)};
  if (form.scales != ScaleKind::steps) return scale;
  const auto* d = reinterpret_cast<const uint16_t*>(header) + kStripRows * strip;
  scale.d = V::mul(V::load_f16(d), V::fill(form.step_unit));
  if (form.has_offset) scale.dmin = V::load_f16(d + kPanelRows);
  return scale;
}

template <class V>
QUERN_SIMD typename V::I32x16 load_byte_steps(const std::byte* at) {
  return V::load_i8(reinterpret_cast<const int8_t*>(at));
}

// Scales (or what is `at` in their stead) of the 16 rows of a strip; at: vector `g` of the unit.
template <class V>
QUERN_SIMD typename V::F32x16 read_scale(const IntegerForm& form, const UnitScale<V>& unit,
                                         const std::byte* at, int strip) {
  const int row = kStripRows * strip;
  switch (form.scales) {
    case ScaleKind::f32:
      return V::load(reinterpret_cast<const float*>(at) + row);
    case ScaleKind::f16:
      return V::load_f16(reinterpret_cast<const uint16_t*>(at) + row);
    case ScaleKind::power:
      return V::as_float(
          V::template shift_left<23>(V::bit_and(load_byte_steps<V>(at + row), V::fill_i32(255))));
    case ScaleKind::steps:
      break;
    case ScaleKind::one:
      return unit.d;
  }
  if (form.step_bits == 0) return unit.d;
  auto steps = load_byte_steps<V>(at + row);
  if (form.step_bits == 4) steps = V::bit_and(steps, V::fill_i32(15));
  return V::mul(unit.d, V::to_float(steps));
}

// Offsets, likewise; only of forms that have them.
template <class V>
QUERN_SIMD typename V::F32x16 read_offset(const IntegerForm& form, const UnitScale<V>& unit,
                                          const std::byte* at, int strip) {
  const int row = kStripRows * strip;
  if (form.scales == ScaleKind::f32) return V::load(reinterpret_cast<const float*>(at) + row);
  if (form.scales == ScaleKind::f16)
    return V::load_f16(reinterpret_cast<const uint16_t*>(at) + row);
  auto steps = load_byte_steps<V>(at + row);
  if (form.step_bits == 4) steps = V::bit_and(V::template shift_right<4>(steps), V::fill_i32(15));
  return V::mul(unit.dmin, V::to_float(steps));
}

}  // namespace quern::cpu
