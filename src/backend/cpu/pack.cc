// Weights from their file's format to the packed layouts of packed_layout.h.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <vector>

#include "backend/cpu/decode_panel.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/pack_codes.h"
#include "backend/cpu/packed_layout.h"
#include "base/check.h"
#include "base/enum_table.h"
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
  constexpr float kMin = 0x1p-126f;
  const float most = form.scales == ScaleKind::f16 ? 65504.0f : 0x1p100f;
  for (size_t g = 0; g < split.scales.size(); ++g) {
    float& scale = split.scales[g];
    if (std::abs(scale) < kMin) {
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
template <ScaleKind kKind>
void put_scale(float value, int64_t row, std::byte* vector) {
  if constexpr (kKind == ScaleKind::f32) {
    std::memcpy(vector + 4 * row, &value, 4);
  } else if constexpr (kKind == ScaleKind::f16) {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(vector + 2 * row, &half, 2);
  } else {
    vector[row] = static_cast<std::byte>(std::bit_cast<uint32_t>(value) >> 23 & 255);
  }
}

// Scales and offsets of unit u of a panel.
template <ScaleKind kKind>
void pack_scales(const SplitPanel& split, const IntegerForm& form, const Unit& unit, int64_t u,
                 int64_t n_in, std::byte* out) {
  const int64_t per_row = n_in / form.group, first = u * unit.n_scales;
  const int64_t n = std::min<int64_t>(unit.n_scales, per_row - first);
  for (int64_t row = 0; row < kPanelRows; ++row) {
    for (int64_t g = 0; g < n; ++g) {
      std::byte* vector = out + g * unit.scale_stride;
      put_scale<kKind>(split.scales[row * per_row + first + g], row, vector);
      if (form.has_offset)
        put_scale<kKind>(split.offsets[row * per_row + first + g], row, vector + unit.offsets_at);
    }
  }
}

using PackScales = void(const SplitPanel&, const IntegerForm&, const Unit&, int64_t u, int64_t n_in,
                        std::byte* out);

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

// One scale for all stands before the units.
void pack_no_scales(const SplitPanel&, const IntegerForm&, const Unit&, int64_t, int64_t,
                    std::byte*) {}

PackScales* scale_packer(ScaleKind kind) {
  struct Packer {
    ScaleKind of;
    PackScales* pack;
  };
  constexpr Packer kPackers[] = {{ScaleKind::f32, pack_scales<ScaleKind::f32>},
                                 {ScaleKind::f16, pack_scales<ScaleKind::f16>},
                                 {ScaleKind::power, pack_scales<ScaleKind::power>},
                                 {ScaleKind::steps, pack_steps},
                                 {ScaleKind::one, pack_no_scales}};
  static_assert(has_row_for_each(kPackers));
  return row_of(kPackers, kind).pack;
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

// What a code of the integer form is packed as, where that is not the code.
std::array<uint8_t, 256> packed_codes(Layout layout, const IntegerForm& form) {
  std::array<uint8_t, 256> map{};
  for (int i = 0; i < 256; ++i) {
    map[i] = static_cast<uint8_t>(i);
    if (layout == Layout::ternary && i > 2) map[i] = 1;  // 3 is no code
    if (layout != Layout::table4) continue;
    const int8_t* end = form.values + 16;
    map[i] =
        static_cast<uint8_t>(std::find(form.values, end, static_cast<int8_t>(i)) - form.values) &
        15;
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
        codes_(unit_.k),
        mapped_(layout_ == Layout::table4 || layout_ == Layout::ternary),
        pack_row_(row_packer(layout_)),
        pack_scales_(scale_packer(format.integer.scales)) {}

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
      pack_scales_(split_, form, unit_, u, m_.n_cols, at);
      pack_codes(u, at + unit_.codes_at);
    }
  }

 private:
  // Codes of unit u, those past the matrix meaning 0.
  void pack_codes(int64_t u, std::byte* out) {
    const int64_t first = u * unit_.k, n = std::min<int64_t>(unit_.k, m_.n_cols - first);
    const bool as_they_are = !mapped_ && n == unit_.k;
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const int8_t* from = split_.codes.data() + row * m_.n_cols + first;
      if (!as_they_are) {
        std::fill(codes_.begin() + n, codes_.end(), map_[format_.integer.zero_point]);
        for (int64_t i = 0; i < n; ++i) codes_[i] = map_[static_cast<uint8_t>(from[i])];
      }
      const auto* codes = as_they_are ? reinterpret_cast<const uint8_t*>(from) : codes_.data();
      pack_row_(codes, out + row / kStripRows * kLine + row % kStripRows * kQuad);
    }
  }

  const QuantMatrix& m_;
  const Format& format_;
  Layout layout_;
  Unit unit_;
  std::array<uint8_t, 256> map_;
  SplitPanel split_;
  std::vector<uint8_t> codes_;  // (k)
  bool mapped_;
  PackRow* pack_row_;
  PackScales* pack_scales_;
};

// rows (n, n_in) to (n_in, kPanelRows), rows past n of zeros.
template <class T>
void transpose(const T* rows, int64_t n, int64_t n_in, T* panel) {
  constexpr int64_t kBlock = 16;  // inputs at a time: 16 columns of 32 rows stay in the cache
  for (int64_t k0 = 0; k0 < n_in; k0 += kBlock) {
    const int64_t k1 = std::min(n_in, k0 + kBlock);
    for (int64_t row = 0; row < kPanelRows; ++row) {
      for (int64_t k = k0; k < k1; ++k) {
        panel[k * kPanelRows + row] = row < n ? rows[row * n_in + k] : T{};
      }
    }
  }
}

// Panels of numbers as the file has them.
template <class T>
class PlainPacker {
 public:
  explicit PlainPacker(const QuantMatrix& m)
      : m_(m), rows_(kPanelRows * m.n_cols), panel_(rows_.size()) {}

  void pack(int64_t p, std::byte* out) {
    const int64_t first = kPanelRows * p, n = std::min<int64_t>(kPanelRows, m_.n_rows - first);
    const size_t row_bytes = m_.n_cols * sizeof(T);
    std::memcpy(rows_.data(), m_.data.data() + first * row_bytes, n * row_bytes);
    transpose(rows_.data(), n, m_.n_cols, panel_.data());
    std::memcpy(out, panel_.data(), panel_.size() * sizeof(T));
  }

 private:
  const QuantMatrix& m_;
  std::vector<T> rows_, panel_;  // aligned, which neither file nor output need be
};

// Panels of numbers that hold the format's weights exactly, from its decoder.
template <class T, T (*from_f32)(float)>
class DecodingPacker {
 public:
  explicit DecodingPacker(const QuantMatrix& m)
      : m_(m), rows_(kPanelRows * m.n_cols), numbers_(rows_.size()), panel_(rows_.size()) {}

  void pack(int64_t p, std::byte* out) {
    const int64_t first = kPanelRows * p, n = std::min<int64_t>(kPanelRows, m_.n_rows - first);
    decode_rows(m_, first, n, rows_.data());
    for (int64_t i = 0; i < n * m_.n_cols; ++i) numbers_[i] = from_f32(rows_[i]);
    transpose(numbers_.data(), n, m_.n_cols, panel_.data());
    std::memcpy(out, panel_.data(), panel_.size() * sizeof(T));
  }

 private:
  const QuantMatrix& m_;
  std::vector<float> rows_;
  std::vector<T> numbers_, panel_;
};

template <class Packer>
void pack_panels(Packer packer, int64_t first, int64_t last, int64_t bytes, std::byte* out) {
  for (int64_t p = first; p < last; ++p) packer.pack(p, out + p * bytes);
}

using PackPlain = void(const QuantMatrix& m, int64_t first, int64_t last, int64_t bytes,
                       std::byte* out);

template <class Packer>
void pack_plain(const QuantMatrix& m, int64_t first, int64_t last, int64_t bytes, std::byte* out) {
  pack_panels(Packer(m), first, last, bytes, out);
}

// The types that f32 kernels read, and how a matrix gets there: copied if it is of the type,
// decoded if it is of another format.
struct PlainLayout {
  Dtype dtype;
  Layout layout;
  PackPlain *copy, *decode;
};
uint32_t f32_bits(float x) { return std::bit_cast<uint32_t>(x); }
constexpr PlainLayout kPlainLayouts[] = {
    {Dtype::f32, Layout::f32, pack_plain<PlainPacker<uint32_t>>,
     pack_plain<DecodingPacker<uint32_t, f32_bits>>},
    {Dtype::f16, Layout::f16, pack_plain<PlainPacker<uint16_t>>,
     pack_plain<DecodingPacker<uint16_t, f32_to_f16>>},
    {Dtype::bf16, Layout::bf16, pack_plain<PlainPacker<uint16_t>>,
     pack_plain<DecodingPacker<uint16_t, f32_to_bf16>>},
};

const PlainLayout& plain_row(Dtype plain) {
  const auto* row = std::ranges::find(kPlainLayouts, plain, &PlainLayout::dtype);
  CHECK(row != std::end(kPlainLayouts), "a format's plain type is f32, f16 or bf16");
  return *row;
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
  transpose(rows, n, n_in, panel);
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
  return plain_row(format.plain).layout;
}

int64_t packed_bytes(const Format& format, int64_t n_out, int64_t n_in) {
  return (n_out + kPanelRows - 1) / kPanelRows * panel_bytes(format, n_in);
}

void pack(const QuantMatrix& m, int64_t first_panel, int64_t last_panel, std::byte* out) {
  const Format& format = format_of(m);
  const int64_t bytes = panel_bytes(format, m.n_cols);
  if (format.integer.group) {
    pack_panels(IntegerPacker(m, format), first_panel, last_panel, bytes, out);
  } else {
    const PlainLayout& plain = plain_row(format.plain);
    (m.dtype == format.plain ? plain.copy : plain.decode)(m, first_panel, last_panel, bytes, out);
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
