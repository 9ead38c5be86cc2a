// How packed weights and quantized activations lie in memory: shared by pack.cc and the kernels.
//
// Quantized weights. A panel is 32 output rows; it is a sequence of units, each `k` inputs of all
// its rows (int4: 64, int8: 32), panels follow each other. A unit:
//   scales   (k / group, 32 rows) f16 or f32
//   offsets  the same, if the format has them
//   codes    16 lines of 64 bytes: line 2j + s, byte 4r + b is row 16s + r, input 4j + b.
//            int4: its low nibble; the high nibble is input 32 + 4j + b.
//            int8: code + 128.
// Rows past n_out and groups without a scale have scale and offset 0 and codes that mean 0; inputs
// past n_in meet activations of 0.
//
// Plain weights: panel (n_in, 32 rows) of the layout's type.
#pragma once
#include <cstdint>

#include "backend/cpu/linear.h"

namespace quern::cpu {

inline constexpr int kGroup = 32;      // activations that share a scale
inline constexpr int kLine = 64;       // bytes
inline constexpr int kCodeLines = 16;  // of a unit

struct Unit {
  int k = 0;            // inputs
  int scale_bytes = 0;  // 2 or 4
  int n_scales = 0;     // vectors of 32 scales
  bool has_offset = false;

  constexpr Unit(Layout layout, const IntegerForm& form)
      : k(layout == Layout::int4 ? 2 * kGroup : kGroup),
        scale_bytes(form.f16_scales ? 2 : 4),
        n_scales(k / form.group),
        has_offset(form.has_offset) {}
  constexpr int scale_stride() const { return kPanelRows * scale_bytes; }
  constexpr int offsets_at() const { return n_scales * scale_stride(); }
  constexpr int codes_at() const { return offsets_at() * (has_offset ? 2 : 1); }
  constexpr int bytes() const { return codes_at() + kCodeLines * kLine; }
  constexpr int64_t count(int64_t n_in) const { return (n_in + k - 1) / k; }
};

// 32 quantized activations x = factor * 2^e * code, with what the zero points and offsets of
// weights need. The factor is the row's; the powers of two cost nothing, since a weight's scale
// takes them by an integer addition to its exponent. e is never negative: a scale of 0 stays
// (almost) 0 that way.
struct alignas(64) ActivationGroup {
  int8_t code[kGroup];
  int32_t exponent;           // e << 23, e in [kLeastExponent, kMostExponent]
  float scaled_sum;           // 2^e * sum of the codes
  float scaled_half_sums[2];  // of inputs 0..15 and 16..31
  int32_t half_sums[2];
  int32_t start8, start128;  // -8 and -128 times the sum of the codes
};
static_assert(sizeof(ActivationGroup) == 64);
inline constexpr int kLeastExponent =
    4;  // so that high nibbles, 16 times too large, may take 4 off
inline constexpr int kMostExponent = 24;

// Stands behind the groups of a record.
struct alignas(64) ActivationFactor {
  float factor;
};

// An activation record holds the groups of a row, an even number of them.
constexpr int64_t activation_groups(int64_t n_in) {
  return (n_in + 2 * kGroup - 1) / (2 * kGroup) * 2;
}

}  // namespace quern::cpu
