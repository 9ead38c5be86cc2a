// Weights from their file's format to the packed layouts of packed_layout.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backend/cpu/decode_panel.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/packed_layout.h"
#include "base/check.h"
#include "base/float16.h"

namespace quern::cpu {
namespace {

const Format& format_of(const QuantMatrix& m) {
  const Format* format = find_format(m.dtype);
  CHECK(format, "a matrix of weights has a type that holds none");
  return *format;
}

// One panel in integer form, as `split` gives it.
struct SplitPanel {
  std::vector<int8_t> codes;  // (32, n_in)
  std::vector<float> scales, offsets;

  SplitPanel(const IntegerForm& form, int64_t n_in)
      : codes(kPanelRows * n_in),
        scales(kPanelRows * (n_in / form.group)),
        offsets(form.has_offset ? scales.size() : 0) {}
};

// Makes scales such that the kernels may add to their exponents: a group whose scale is 0 (or
// denormal) gets codes that mean 0; absurd scales, NaN among them, become 2^100, which still shows
// as nonsense.
void tame_scales(const IntegerForm& form, SplitPanel& split) {
  constexpr float kLeast = 0x1p-126f;
  const float most = form.f16_scales ? 65504.0f : 0x1p100f;
  for (size_t g = 0; g < split.scales.size(); ++g) {
    float& scale = split.scales[g];
    int8_t* codes = split.codes.data() + g * form.group;
    const bool empty = std::all_of(codes, codes + form.group,
                                   [&](int8_t code) { return code == form.zero_point; });
    if (empty || std::abs(scale) < kLeast) {
      scale = 0;
      std::memset(codes, form.zero_point, form.group);
    } else if (!(std::abs(scale) <= most)) {
      scale = std::copysign(most, scale);
    }
  }
}

void put_scale(float value, int scale_bytes, std::byte* at) {
  if (scale_bytes == 4) {
    std::memcpy(at, &value, 4);
  } else {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(at, &half, 2);
  }
}

// Scales or offsets (n, n_in / group) of a panel's unit u.
void pack_scales(const std::vector<float>& scales, const Unit& unit, int64_t u, int64_t n,
                 int64_t per_row, std::byte* out) {
  for (int g = 0; g < unit.n_scales; ++g) {
    const int64_t column = u * unit.n_scales + g;
    if (column >= per_row) return;
    for (int64_t row = 0; row < n; ++row) {
      put_scale(scales[row * per_row + column], unit.scale_bytes,
                out + g * unit.scale_stride() + row * unit.scale_bytes);
    }
  }
}

uint32_t four_codes(const int8_t* p) {
  uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Codes (32, n_in) of a panel's unit u; nibbles of two groups share a line.
void pack_codes(const int8_t* codes, Layout layout, int64_t u, int64_t n_in, std::byte* out) {
  for (int64_t row = 0; row < kPanelRows; ++row) {
    std::byte* lane = out + row / kStripRows * kLine + row % kStripRows * 4;
    const int8_t* from = codes + row * n_in + u * (layout == Layout::int4 ? 2 * kGroup : kGroup);
    const bool has_high = layout == Layout::int4 && (2 * u + 1) * kGroup < n_in;
    for (int j = 0; j < 8; ++j) {
      uint32_t word = four_codes(from + 4 * j);
      if (has_high) word |= four_codes(from + kGroup + 4 * j) << 4;
      if (layout == Layout::int8) word ^= 0x80808080u;
      std::memcpy(lane + 2 * j * kLine, &word, sizeof word);
    }
  }
}

void pack_integer_panel(const QuantMatrix& m, const Format& format, int64_t panel,
                        SplitPanel& split, std::byte* out) {
  const Layout layout = layout_of(format);
  const Unit unit(layout, format.integer);
  const int64_t first = kPanelRows * panel, n = std::min<int64_t>(kPanelRows, m.n_rows - first);
  const int64_t per_row = m.n_cols / format.integer.group;
  std::memset(split.codes.data() + n * m.n_cols, format.integer.zero_point,
              (kPanelRows - n) * m.n_cols);
  format.split(m, first, n, split.codes.data(), split.scales.data(), split.offsets.data());
  tame_scales(format.integer, split);
  std::memset(out, 0, unit.count(m.n_cols) * unit.bytes());
  for (int64_t u = 0; u < unit.count(m.n_cols); ++u, out += unit.bytes()) {
    pack_scales(split.scales, unit, u, n, per_row, out);
    if (unit.has_offset) pack_scales(split.offsets, unit, u, n, per_row, out + unit.offsets_at());
    pack_codes(split.codes.data(), layout, u, m.n_cols, out + unit.codes_at());
  }
}

void pack_plain_panel(const QuantMatrix& m, int64_t panel, std::vector<float>& decoded,
                      std::vector<float>& transposed, Layout layout, std::byte* out) {
  const int64_t first = kPanelRows * panel, n = std::min<int64_t>(kPanelRows, m.n_rows - first);
  decode_rows(m, first, n, decoded.data());
  transpose_panel(decoded.data(), n, m.n_cols, transposed.data());
  const int64_t size = kPanelRows * m.n_cols;
  if (layout == Layout::f32) {
    std::memcpy(out, transposed.data(), size * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < size; ++i) {  // exact: the values were this type
    const float x = transposed[i];
    const uint16_t half = layout == Layout::f16 ? f32_to_f16(x) : f32_to_bf16(x);
    std::memcpy(out + 2 * i, &half, 2);
  }
}

int64_t panel_bytes(const Format& format, int64_t n_in) {
  const Layout layout = layout_of(format);
  if (format.integer.group) {
    const Unit unit(layout, format.integer);
    return unit.count(n_in) * unit.bytes();
  }
  return n_in * kPanelRows * (layout == Layout::f32 ? 4 : 2);
}

}  // namespace

void decode_rows(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
  format_of(m).decode(m, first, n, out);
}

void transpose_panel(const float* rows, int64_t n, int64_t n_in, float* panel) {
  constexpr int64_t kBlock = 16;  // inputs at a time: 16 columns of 32 rows stay in the cache
  for (int64_t k0 = 0; k0 < n_in; k0 += kBlock) {
    const int64_t k1 = std::min(n_in, k0 + kBlock);
    for (int64_t row = 0; row < kPanelRows; ++row) {
      for (int64_t k = k0; k < k1; ++k) {
        panel[k * kPanelRows + row] = row < n ? rows[row * n_in + k] : 0.0f;
      }
    }
  }
}

Layout layout_of(const Format& format) {
  if (format.integer.group) return format.integer.bits == 4 ? Layout::int4 : Layout::int8;
  if (format.dtype == Dtype::f16) return Layout::f16;
  if (format.dtype == Dtype::bf16) return Layout::bf16;
  return Layout::f32;
}

int64_t packed_bytes(const Format& format, int64_t n_out, int64_t n_in) {
  return (n_out + kPanelRows - 1) / kPanelRows * panel_bytes(format, n_in);
}

void pack(const QuantMatrix& m, int64_t first_panel, int64_t last_panel, std::byte* out) {
  const Format& format = format_of(m);
  const int64_t bytes = panel_bytes(format, m.n_cols);
  if (format.integer.group) {
    SplitPanel split(format.integer, m.n_cols);
    for (int64_t p = first_panel; p < last_panel; ++p) {
      pack_integer_panel(m, format, p, split, out + p * bytes);
    }
    return;
  }
  std::vector<float> decoded(kPanelRows * m.n_cols), transposed(decoded.size());
  for (int64_t p = first_panel; p < last_panel; ++p) {
    pack_plain_panel(m, p, decoded, transposed, layout_of(format), out + p * bytes);
  }
}

int64_t activation_bytes(int64_t n_in) {
  return activation_groups(n_in) * static_cast<int64_t>(sizeof(ActivationGroup)) +
         static_cast<int64_t>(sizeof(ActivationFactor));
}

int64_t exact_scratch_bytes(int64_t n_in) {
  return 2 * kPanelRows * n_in * static_cast<int64_t>(sizeof(float));
}

}  // namespace quern::cpu
