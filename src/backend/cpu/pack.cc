// Weights from their file's format to the packed layouts of packed_layout.h.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "backend/cpu/decode_panel.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/ternary_code.h"
#include "base/check.h"
#include "base/float16.h"

namespace quern::cpu {
namespace {

const Format& format_of(const QuantMatrix& m) {
  const Format* format = find_format(m.dtype);
  CHECK(format, "a matrix of weights has a type that holds none");
  return *format;
}

// One panel in integer form, as `split` gives it, with rows past the matrix that count for nothing.
struct SplitPanel {
  std::vector<int8_t> codes;  // (32, n_in)
  std::vector<float> scales, offsets;
  std::vector<SuperScale> supers;  // (32, n_in / 256), of ScaleKind::steps

  SplitPanel(const IntegerForm& form, int64_t n_in)
      : codes(kPanelRows * n_in),
        scales(kPanelRows * (n_in / form.group)),
        offsets(scales.size()),
        supers(form.scales == ScaleKind::steps ? kPanelRows * (n_in / SuperScale::kWeights) : 0) {}

  void fill(const QuantMatrix& m, const Format& format, int64_t panel) {
    const int64_t first = kPanelRows * panel, n = std::min<int64_t>(kPanelRows, m.n_rows - first);
    std::fill(codes.begin() + n * m.n_cols, codes.end(), format.integer.zero_point);
    std::fill(scales.begin(), scales.end(), 0.0f);
    std::fill(offsets.begin(), offsets.end(), 0.0f);
    std::fill(supers.begin(), supers.end(), SuperScale{});
    format.split(m, first, n, codes.data(), scales.data(), offsets.data());
    if (format.split_steps) format.split_steps(m, first, n, supers.data());
  }
};

// The numbers of a file may be anything; f16 infinities and NaNs become the largest number, which
// still shows as nonsense.
uint16_t tame_f16(uint16_t x) {
  constexpr uint16_t kInfinity = 0x7c00, kSign = 0x8000;
  return (x & kInfinity) == kInfinity ? static_cast<uint16_t>((x & kSign) | (kInfinity - 1)) : x;
}

// Makes scales such that the kernels may add to their exponents: a group whose scale is 0 (or
// denormal) gets codes that mean 0; absurd scales, NaN among them, become 2^100.
void tame_scales(const IntegerForm& form, SplitPanel& split) {
  if (form.scales == ScaleKind::one) return;  // meets the sums as it is
  constexpr float kLeast = 0x1p-126f;
  const float most = form.scales == ScaleKind::f16 ? 65504.0f : 0x1p100f;
  for (size_t g = 0; g < split.scales.size(); ++g) {
    float& scale = split.scales[g];
    if (std::abs(scale) < kLeast) {
      scale = 0;
      std::memset(split.codes.data() + g * form.group, form.zero_point, form.group);
    } else if (!(std::abs(scale) <= most)) {
      scale = std::copysign(most, scale);
    }
  }
  for (float& offset : split.offsets) {
    if (!(std::abs(offset) <= most)) offset = std::copysign(most, offset);
  }
  for (SuperScale& super : split.supers) {
    super.d = tame_f16(super.d);
    super.dmin = tame_f16(super.dmin);
  }
}

// One scale or offset as it is packed; steps are packed from SuperScale.
void put_scale(ScaleKind kind, float value, std::byte* at) {
  if (kind == ScaleKind::f32) {
    std::memcpy(at, &value, 4);
  } else if (kind == ScaleKind::f16) {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(at, &half, 2);
  } else {
    *at = static_cast<std::byte>(std::bit_cast<uint32_t>(value) >> 23 & 255);
  }
}

// Scales and offsets of unit u of a panel.
void pack_scales(const SplitPanel& split, const IntegerForm& form, const Unit& unit, int64_t u,
                 int64_t n_in, std::byte* out) {
  const int64_t per_row = n_in / form.group;
  for (int g = 0; g < unit.n_scales; ++g) {
    const int64_t column = u * unit.n_scales + g;
    if (column >= per_row) return;
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const int size = unit.scale_stride / kPanelRows;
      std::byte* at = out + g * unit.scale_stride + row * size;
      put_scale(form.scales, split.scales[row * per_row + column], at);
      if (form.has_offset)
        put_scale(form.scales, split.offsets[row * per_row + column], at + unit.offsets_at);
    }
  }
}

// The same of ScaleKind::steps.
void pack_steps(const SplitPanel& split, const IntegerForm& form, const Unit& unit, int64_t u,
                int64_t n_in, std::byte* out) {
  const int64_t per_row = n_in / SuperScale::kWeights;
  for (int g = 0; g < unit.n_scales; ++g) {
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const SuperScale& super = split.supers[row * per_row + u / 4];
      const int at = static_cast<int>(u % 4) * unit.n_scales + g;
      const int scale = super.scale_steps[at], offset = super.offset_steps[at];
      std::byte* to = out + g * unit.scale_stride + row;
      *to = static_cast<std::byte>(form.step_bits == 4 ? scale | offset << 4 : scale);
      if (unit.offsets_at) to[unit.offsets_at] = static_cast<std::byte>(offset);
    }
  }
}

// d and -dmin of the 256 inputs that begin with unit u.
void pack_header(const SplitPanel& split, const Unit& unit, int64_t u, int64_t n_in,
                 std::byte* out) {
  constexpr uint16_t kSign = 0x8000;
  for (int64_t row = 0; row < kPanelRows; ++row) {
    const SuperScale& super = split.supers[row * (n_in / SuperScale::kWeights) + u / 4];
    const uint16_t dmin = super.dmin ^ kSign;
    std::memcpy(out + 2 * row, &super.d, 2);
    if (unit.header_bytes > 2 * kPanelRows) std::memcpy(out + 2 * (kPanelRows + row), &dmin, 2);
  }
}

// Where `count` bits of the codes of a quad, from bit `from` on, are packed: at bit `to` of a pair.
struct Piece {
  int pair, from, count, to;
};
struct Pieces {
  Piece piece[2];
  int n;
};
Pieces pieces_of(Layout layout, int q) {
  const Piece nibble{q % 8, 0, 4, q / 8 * 4}, low_two{q / 4, 0, 2, q % 4 * 2};
  switch (layout) {
    case Layout::int2:
      return {{low_two}, 1};
    case Layout::int3:
      return {{low_two, {4 + q / 8, 2, 1, q % 8}}, 2};
    case Layout::int5:
      return {{nibble, {8 + q / 8, 4, 1, q % 8}}, 2};
    case Layout::int6:
      return {{nibble, {8 + q / 4, 4, 2, q % 4 * 2}}, 2};
    case Layout::int8:
      return {{{q, 0, 8, 0}}, 1};
    default:
      return {{nibble}, 1};  // int4, table4
  }
}

std::byte* dword_of(std::byte* codes, int pair, int64_t row) {
  return codes + (2 * pair + row / kStripRows) * kLine + row % kStripRows * kQuad;
}

// Codes (32, k) of one unit, as numbers of the layout's bits.
void pack_codes(const uint8_t* codes, Layout layout, std::byte* out) {
  constexpr int kInputs = 64, kQuads = kInputs / kQuad;
  for (int q = 0; q < kQuads; ++q) {
    const Pieces pieces = pieces_of(layout, q);
    for (int i = 0; i < pieces.n; ++i) {
      const auto [pair, from, count, to] = pieces.piece[i];
      const uint32_t mask = ((1u << count) - 1) * 0x01010101u;
      for (int64_t row = 0; row < kPanelRows; ++row) {
        uint32_t word, packed;
        std::memcpy(&word, codes + row * kInputs + kQuad * q, sizeof word);
        std::byte* at = dword_of(out, pair, row);
        std::memcpy(&packed, at, sizeof packed);
        packed |= (word >> from & mask) << to;
        std::memcpy(at, &packed, sizeof packed);
      }
    }
  }
}

void pack_ternary_codes(const uint8_t* codes, int k, std::byte* out) {
  for (int pair = 0; pair < k / (kQuad * kTrits); ++pair) {
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const uint8_t* from = codes + row * k + kQuad * pair;
      for (int b = 0; b < kQuad; ++b) {
        const int t[] = {from[b], from[32 + b], from[64 + b], from[96 + b], from[128 + b]};
        dword_of(out, pair, row)[b] = static_cast<std::byte>(ternary_byte(t));
      }
    }
  }
}

// What a code of the integer form is packed as.
std::array<uint8_t, 256> packed_codes(Layout layout, const IntegerForm& form) {
  std::array<uint8_t, 256> map{};
  for (int i = 0; i < 256; ++i) {
    const auto code = static_cast<int8_t>(i);
    map[i] = static_cast<uint8_t>(layout == Layout::int8 ? code + 128 : code);
    if (layout == Layout::ternary && i > 2) map[i] = 1;  // 3 is no code
    if (layout != Layout::table4) continue;
    const int8_t* end = form.values + 16;
    map[i] = static_cast<uint8_t>(std::find(form.values, end, code) - form.values) & 15;
  }
  return map;
}

class IntegerPacker {
 public:
  IntegerPacker(const QuantMatrix& m, const Format& format)
      : m_(m),
        format_(format),
        layout_(layout_of(format)),
        unit_(layout_, format.integer),
        map_(packed_codes(layout_, format.integer)),
        split_(format.integer, m.n_cols),
        codes_(kPanelRows * unit_.k) {}

  void pack(int64_t panel, std::byte* out) {
    const IntegerForm& form = format_.integer;
    split_.fill(m_, format_, panel);
    tame_scales(form, split_);
    std::memset(out, 0, unit_.panel_bytes(m_.n_cols));
    const int64_t per_row = m_.n_cols / form.group;
    if (unit_.row_bytes)
      for (int64_t row = 0; row < kPanelRows; ++row)
        std::memcpy(out + 4 * row, &split_.scales[row * per_row], 4);
    for (int64_t u = 0; u < unit_.count(m_.n_cols); ++u) {
      std::byte* at = out + unit_.at(u);
      const bool steps = form.scales == ScaleKind::steps;
      if (steps && u % 4 == 0) pack_header(split_, unit_, u, m_.n_cols, at - unit_.header_bytes);
      if (steps) {
        pack_steps(split_, form, unit_, u, m_.n_cols, at);
      } else {
        pack_scales(split_, form, unit_, u, m_.n_cols, at);
      }
      take_codes(u);
      if (layout_ == Layout::ternary) {
        pack_ternary_codes(codes_.data(), unit_.k, at + unit_.codes_at);
      } else {
        pack_codes(codes_.data(), layout_, at + unit_.codes_at);
      }
    }
  }

 private:
  // Codes of unit u, those past the matrix meaning 0.
  void take_codes(int64_t u) {
    const int64_t first = u * unit_.k, n = std::min<int64_t>(unit_.k, m_.n_cols - first);
    std::fill(codes_.begin(), codes_.end(), map_[format_.integer.zero_point]);
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const int8_t* from = split_.codes.data() + row * m_.n_cols + first;
      for (int64_t i = 0; i < n; ++i)
        codes_[row * unit_.k + i] = map_[static_cast<uint8_t>(from[i])];
    }
  }

  const QuantMatrix& m_;
  const Format& format_;
  Layout layout_;
  Unit unit_;
  std::array<uint8_t, 256> map_;
  SplitPanel split_;
  std::vector<uint8_t> codes_;  // (32, k)
};

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
    return Unit(layout, format.integer).panel_bytes(n_in);
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
  const IntegerForm& form = format.integer;
  if (form.group) {
    if (form.values) return Layout::table4;
    if (form.scales == ScaleKind::one) return Layout::ternary;
    constexpr Layout kOfBits[] = {Layout::int2, Layout::int3, Layout::int4,
                                  Layout::int5, Layout::int6, Layout::int8};
    const Layout layout = kOfBits[form.bits == 8 ? 5 : form.bits - 2];
    CHECK(form.zero_point == 0 || form.zero_point == zero_point_of(layout),
          "a zero point that no kernel knows");
    return layout;
  }
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
    IntegerPacker packer(m, format);
    for (int64_t p = first_panel; p < last_panel; ++p) packer.pack(p, out + p * bytes);
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
