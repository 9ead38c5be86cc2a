// The memory layout of packed weights and quantized activations: shared by pack.cc and the kernels.
//
// Quantized weights. A panel is 32 output rows; panels follow each other. A panel:
//   row scales   32 f32, of ScaleKind::one
//   units        each `k` inputs of all its rows (64; ternary: 160)
// With ScaleKind::steps every four units (256 inputs) begin with a header: d of 32 rows, then dmin
// of 32 rows if there are offsets, f16. A unit:
//   scales   (k / group, 32 rows), each f16, f32 or a byte
//   offsets  the same, if the format has them; with 4-bit steps they are the high halves of the
//            scales' bytes
//   codes    lines of 64 bytes, in pairs: line 2l + s has 16 rows from 16 s on, dword r of it is
//            row 16 s + r. The four bytes of a dword hold four inputs, a quad. Where the codes of
//            the unit's quad q are:
//     int8     pair q, the code + 128
//     int4     pair q % 8, low nibble of quads 0..7, high nibble of quads 8..15
//     table4   as int4, an index into the format's 16 values
//     int2     pair q / 4, bits 2 (q % 4) and the one above
//     int3     as int2; bit 2 follows as bit q % 8 of pair 4 + q / 8
//     int5     as int4; bit 4 follows as bit q % 8 of pair 8 + q / 8
//     int6     as int4; bits 4 and 5 follow as bits 2 (q % 4) and the one above of pair 8 + q / 4
//     ternary  pair q % 8: the byte's code q / 8 of five, see ternary_code.h
// Bytes: scales of ScaleKind::power are an exponent e of 2^(e - 127), e = 0 for 0; of
// ScaleKind::steps the steps.
// Where a scale is 0 the codes are the zero point, or (table4) count as 0 whatever they are. Rows
// past n_out have such scales alone and offsets 0; inputs past n_in meet activations of 0.
//
// Plain weights: panel (n_in, 32 rows) of the layout's type.
#pragma once
#include <cstdint>

#include "backend/cpu/linear.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

inline constexpr int kGroup = 32;  // activations that share a scale
inline constexpr int kLine = 64;   // bytes
inline constexpr int kQuad = 4;    // inputs of one dot product step

// Pairs of lines that the codes of a unit take.
QUERN_INLINE constexpr int code_pairs(Layout layout) {
  switch (layout) {
    case Layout::int2:
      return 4;
    case Layout::int3:
      return 6;
    case Layout::int4:
    case Layout::table4:
    case Layout::ternary:
      return 8;
    case Layout::int5:
      return 10;
    case Layout::int6:
      return 12;
    default:
      return 16;
  }
}
QUERN_INLINE constexpr int unit_inputs(Layout layout) {
  return layout == Layout::ternary ? 160 : 64;
}

// The zero point of a layout's codes where it is not 0; int8 and table4: as packed.
QUERN_INLINE constexpr int zero_point_of(Layout layout) {
  switch (layout) {
    case Layout::int2:
    case Layout::ternary:
      return 1;
    case Layout::int3:
      return 4;
    case Layout::int4:
      return 8;
    case Layout::int5:
      return 16;
    case Layout::int6:
      return 32;
    default:
      return 128;
  }
}

struct Unit {
  int k = 0;             // inputs
  int group = 0;         // inputs that share a scale
  int n_scales = 0;      // vectors of 32 scales; 0: the header or the row scales are all
  int scale_stride = 0;  // bytes of such a vector
  int offsets_at = 0;    // bytes from the scales to the offsets
  int codes_at = 0;
  int bytes = 0;
  int header_bytes = 0;  // before every fourth unit
  int row_bytes = 0;     // before the first unit

  QUERN_INLINE constexpr Unit(Layout layout, const IntegerForm& form)
      : k(unit_inputs(layout)), group(form.group) {
    const bool steps = form.scales == ScaleKind::steps;
    const bool none = form.scales == ScaleKind::one || (steps && form.step_bits == 0);
    const bool same_byte = steps && form.step_bits == 4;
    n_scales = none ? 0 : k / group;
    scale_stride = kPanelRows * (form.scales == ScaleKind::f32   ? 4
                                 : form.scales == ScaleKind::f16 ? 2
                                                                 : 1);
    const bool own = form.has_offset && !same_byte;
    offsets_at = own ? n_scales * scale_stride : 0;
    codes_at = n_scales * scale_stride + offsets_at;
    bytes = codes_at + 2 * code_pairs(layout) * kLine;
    if (steps) header_bytes = kPanelRows * 2 * (form.has_offset ? 2 : 1);
    if (form.scales == ScaleKind::one) row_bytes = kPanelRows * 4;
  }
  QUERN_INLINE constexpr int64_t count(int64_t n_in) const { return (n_in + k - 1) / k; }
  // Where unit u of a panel begins, after the header before it.
  QUERN_INLINE constexpr int64_t at(int64_t u) const {
    return row_bytes + (u / 4 + 1) * header_bytes + u * bytes;
  }
  QUERN_INLINE constexpr int64_t panel_bytes(int64_t n_in) const {
    const int64_t n = count(n_in);
    return row_bytes + (n + 3) / 4 * header_bytes + n * bytes;
  }
};

// 32 quantized activations x = factor * 2^e * code, with the sums that the zero points and offsets
// of weights need. The factor is the row's; the powers of two are free, since they are added to the
// exponent of a weight's scale by an integer addition. e is never negative: a scale of 0 stays
// (almost) 0 that way.
struct alignas(64) ActivationGroup {
  int8_t code[kGroup];
  int32_t exponent;           // e << 23, e in [kMinExponent, kMaxExponent]
  float scaled_sum;           // 2^e * sum of the codes
  float scaled_half_sums[2];  // of inputs 0..15 and 16..31
  int32_t half_starts[2];     // -32 times the sum of the codes of a half,
  int32_t start, start128;    // -32 and -128 times that of all
};
static_assert(sizeof(ActivationGroup) == 64);
inline constexpr int kMinExponent = 4;
inline constexpr int kMaxExponent = 24;

// Stands behind the groups of a record.
struct alignas(64) ActivationFactor {
  float factor;
};

// An activation record holds the groups of a row, as many as whole units of any layout.
QUERN_INLINE constexpr int64_t activation_groups(int64_t n_in) {
  const int64_t n = (n_in + kGroup - 1) / kGroup, by_two = (n + 1) / 2 * 2,
                by_five = (n + 4) / 5 * 5;
  return by_two > by_five ? by_two : by_five;
}

}  // namespace quern::cpu
