// The linear kernels: every instruction set against the scalar one bit for bit, and the scalar one
// against doubles.
#include "backend/cpu/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/test_kernels.h"
#include "backend/cpu/test_matrix.h"
#include "base/float16.h"
#include "base/fma.h"
#include "support/emulated.h"

namespace quern::cpu {
namespace {

using testing_support::Aligned;
using testing_support::random_matrix;
using testing_support::random_rows;
using testing_support::scalar;
using testing_support::supported_kernels;
using testing_support::Weights;

std::vector<const Kernels*> tested_kernels() {
  return testing_support::tested_kernels(runs_emulated());
}

// Formats that the fast path multiplies as integers; and all.
std::vector<const Format*> integer_formats() {
  std::vector<const Format*> list;
  for (const Format* format : formats()) {
    if (format->integer.group) list.push_back(format);
  }
  return list;
}

Aligned<std::byte> quantize(const Kernels& kernels, const std::vector<float>& x, int64_t n_in,
                            int row_records = 1) {
  const int64_t n_rows = static_cast<int64_t>(x.size()) / n_in;
  const int64_t bytes = row_records * activation_bytes(n_in);
  Aligned<std::byte> records(n_rows * bytes);
  for (int64_t row = 0; row < n_rows; ++row) {
    kernels.linear.quantize_row(x.data() + row * n_in, n_in,
                                row_records == 2 ? RowForm::int8_residual : RowForm::int8,
                                records.data() + row * bytes);
  }
  return records;
}

// Number k of a quantized row, by the description in packed_layout.h.
double quantized_value(const std::byte* record, int64_t n_in, int64_t k) {
  const auto* groups = reinterpret_cast<const ActivationGroup*>(record);
  const auto* factor = reinterpret_cast<const ActivationFactor*>(groups + activation_groups(n_in));
  const ActivationGroup& group = groups[k / kGroup];
  return std::ldexp(double{factor->factor} * group.code[k % kGroup], group.exponent >> 23);
}

struct Packed {
  Aligned<std::byte> memory;
  PackedMatrix matrix;
};

Packed pack_all(const Weights& w) {
  const Format& format = *find_format(w.matrix.dtype);
  Packed p;
  p.memory = Aligned<std::byte>(packed_bytes(format, w.matrix.n_rows, w.matrix.n_cols));
  p.matrix = {layout_of(format), format.integer, w.matrix.n_rows, w.matrix.n_cols, {}};
  p.matrix.data = {p.memory.data(), static_cast<size_t>(p.memory.size())};
  const int64_t panels = p.matrix.n_panels();
  pack(w.matrix, panels / 2, panels, p.memory.data());  // in two pieces, out of order
  pack(w.matrix, 0, panels / 2, p.memory.data());
  return p;
}

std::vector<float> multiply(const Kernels& kernels, const Packed& w, const std::byte* records,
                            int n_rows, int row_records = 1) {
  const int64_t stride = w.matrix.n_panels() * kPanelRows;
  std::vector<float> out(n_rows * stride, NAN);
  Epilogue epilogue{.out = out.data(), .out_stride = stride};
  kernels.linear.multiply_quantized(w.matrix, records,
                                    row_records * activation_bytes(w.matrix.n_in), n_rows,
                                    row_records, 0, w.matrix.n_panels(), epilogue);
  return out;
}

struct Shape {
  int64_t n_out, n_in;
};

// Small shapes a format can have, the second with whole panels. Empty for tl1 and tl2, which have
// the sizes of their models only; i2_s has the same integer form.
std::vector<Shape> shapes(const Format& format) {
  std::vector<Shape> all = {{40, 512}, {96, 768}, {32, 32}, {96, 96}, {33, 576}, {64, 1536}};
  if (runs_emulated()) all = {{40, 512}, {96, 256}, {32, 32}, {33, 96}, {33, 320}};
  std::vector<Shape> list;
  if (info(format.dtype).block > 32) all.resize(2);
  for (const Shape shape : all) {
    if (matrix_bytes(format.dtype, shape.n_out, shape.n_in) >= 0) list.push_back(shape);
  }
  return list;
}

TEST(QuantizeRow, HoldsEveryGroupWithinHalfAStepAndItsSums) {
  for (const int64_t n_in : {1, 15, 16, 31, 32, 33, 50, 64, 576, 1000}) {
    const std::vector<float> x = random_rows(1, n_in, 7);
    const Aligned<std::byte> record = quantize(scalar(), x, n_in);
    const auto* groups = reinterpret_cast<const ActivationGroup*>(record.data());
    const float factor =
        reinterpret_cast<const ActivationFactor*>(groups + activation_groups(n_in))->factor;
    for (int64_t g = 0; g < activation_groups(n_in); ++g) {
      const ActivationGroup& group = groups[g];
      const int e = group.exponent >> 23;
      EXPECT_GE(e, kMinExponent);
      EXPECT_LE(e, kMaxExponent);
      const double step = std::ldexp(double{factor}, e);
      int sums[2] = {0, 0};
      double largest = 0;
      for (int i = 0; i < 32; ++i) {
        const int64_t k = 32 * g + i;
        const float value = k < n_in ? x[k] : 0.0f;
        largest = std::max(largest, std::abs(double{value}));
        EXPECT_LE(std::abs(value - step * group.code[i]), 0.50001 * step);
        EXPECT_LE(std::abs(group.code[i]), 127);
        sums[i / 16] += group.code[i];
      }
      // No coarser than the group needs, as far as the exponents reach.
      if (e > kMinExponent) {
        EXPECT_GT(largest, 63.4 * step);
      }
      EXPECT_EQ(group.half_starts[0], -32 * sums[0]);
      EXPECT_EQ(group.half_starts[1], -32 * sums[1]);
      EXPECT_EQ(group.start, -32 * (sums[0] + sums[1]));
      EXPECT_EQ(group.start128, -128 * (sums[0] + sums[1]));
      EXPECT_EQ(group.scaled_sum, std::ldexp(sums[0] + sums[1], e));
      EXPECT_EQ(group.scaled_half_sums[1], std::ldexp(sums[1], e));
    }
  }
}

TEST(QuantizeRow, LeavesAlmostNothingBehindItsSecondTerm) {
  for (const int64_t n_in : {1, 33, 64, 1000}) {
    const std::vector<float> x = random_rows(1, n_in, 7);
    const Aligned<std::byte> records = quantize(scalar(), x, n_in, 2);
    const std::byte* rest = records.data() + activation_bytes(n_in);
    const auto* groups = reinterpret_cast<const ActivationGroup*>(records.data());
    const auto* factor =
        reinterpret_cast<const ActivationFactor*>(groups + activation_groups(n_in));
    for (int64_t k = 0; k < n_in; ++k) {
      const double one = quantized_value(records.data(), n_in, k);
      const double two = one + quantized_value(rest, n_in, k);
      const double step = std::ldexp(double{factor->factor}, groups[k / 32].exponent >> 23);
      EXPECT_LE(std::abs(x[k] - one), 0.50001 * step);
      EXPECT_LE(std::abs(x[k] - two), 0.501 / 254 * step);
    }
  }
}

TEST(QuantizeRow, LosesNothingOfARowThatIsInt8Already) {
  constexpr int64_t kIn = 320;
  const float step = 0.0123f;
  std::vector<float> x(kIn);
  for (int64_t k = 0; k < kIn; ++k)
    x[k] = step * static_cast<float>((k * 37 % 255 - 127) / (k < 64 ? 1 : 9));
  for (const Kernels* kernels : tested_kernels()) {
    Aligned<std::byte> record(activation_bytes(kIn));
    kernels->linear.quantize_row(x.data(), kIn, RowForm::int8_already, record.data());
    for (int64_t k = 0; k < kIn; ++k)
      EXPECT_NEAR(quantized_value(record.data(), kIn, k), x[k], 1e-6 * std::abs(x[k])) << k;
  }
}

TEST(QuantizeRow, OfZerosAndOfTinyNumbersCountsForNothing) {
  for (const float value : {0.0f, 0x1p-70f, -0x1p-70f}) {
    const std::vector<float> x(96, value);
    const Aligned<std::byte> records = quantize(scalar(), x, 96, 2);
    for (int64_t k = 0; k < 96; ++k) {
      EXPECT_EQ(quantized_value(records.data(), 96, k), 0);
      EXPECT_EQ(quantized_value(records.data() + activation_bytes(96), 96, k), 0);
    }
  }
}

TEST(QuantizeRow, RoundsAlikeOnEveryInstructionSet) {
  for (const Kernels* kernels : tested_kernels()) {
    for (const int64_t n_in : {1, 17, 32, 33, 49, 576, 1536}) {
      std::vector<float> x = random_rows(3, n_in, 11);
      x[0] = 0x1p-70f;                                       // below what counts
      if (n_in > 64) std::fill_n(x.begin() + 32, 32, 0.0f);  // a group of zeros
      for (const int row_records : {1, 2}) {
        const auto want = quantize(scalar(), x, n_in, row_records),
                   got = quantize(*kernels, x, n_in, row_records);
        EXPECT_EQ(std::memcmp(want.data(), got.data(), want.size()), 0) << kernels->isa << n_in;
      }
    }
  }
}

// A packed weight, read back by the description in packed_layout.h.
class PackedReader {
 public:
  explicit PackedReader(const PackedMatrix& w) : w_(w), unit_(w.layout, w.form) {}

  float weight(int64_t row, int64_t k) const {
    const std::byte* panel = w_.data.data() + row / kPanelRows * unit_.panel_bytes(w_.n_in);
    const int64_t u = k / unit_.k, in_unit = k % unit_.k, lane = row % kPanelRows;
    const std::byte* at = panel + unit_.at(u);
    const std::byte* header = panel + unit_.at(u / 4 * 4) - unit_.header_bytes;
    const std::byte* scales = at + in_unit / unit_.group * unit_.scale_stride;
    const float d = w_.form.scales == ScaleKind::one ? number<float>(panel, lane) : 1.0f;
    const float weight = scale_at(header, scales, lane) * d *
                         static_cast<float>(code(at + unit_.codes_at, lane, in_unit));
    return w_.form.has_offset ? weight + offset_at(header, scales, lane) : weight;
  }

 private:
  template <class T>
  static T number(const std::byte* at, int64_t i) {
    T x;
    std::memcpy(&x, at + i * sizeof(T), sizeof x);
    return x;
  }
  static float f16(const std::byte* at, int64_t i) { return f16_to_f32(number<uint16_t>(at, i)); }

  float scale_at(const std::byte* header, const std::byte* scales, int64_t lane) const {
    const int byte = std::to_integer<int>(unit_.n_scales ? scales[lane] : std::byte{1});
    switch (w_.form.scales) {
      case ScaleKind::f32:
        return number<float>(scales, lane);
      case ScaleKind::f16:
        return f16(scales, lane);
      case ScaleKind::power:
        return byte ? std::ldexp(1.0f, byte - 127) : 0.0f;
      case ScaleKind::one:
        return 1;
      case ScaleKind::steps:
        break;
    }
    const int step = w_.form.step_bits == 4 ? byte & 15 : static_cast<int8_t>(byte);
    return f16(header, lane) * w_.form.step_unit * static_cast<float>(step);
  }
  float offset_at(const std::byte* header, const std::byte* scales, int64_t lane) const {
    const std::byte* offsets = scales + unit_.offsets_at;
    if (w_.form.scales == ScaleKind::f32) return number<float>(offsets, lane);
    if (w_.form.scales == ScaleKind::f16) return f16(offsets, lane);
    const int byte = std::to_integer<int>(offsets[lane]);
    return f16(header, kPanelRows + lane) *
           static_cast<float>(w_.form.step_bits == 4 ? byte >> 4 : byte);
  }
  // The code less the zero point.
  int code(const std::byte* codes, int64_t lane, int64_t k) const {
    const int64_t q = k / 4;
    const auto byte = [&](int64_t pair) {
      return std::to_integer<int>(codes[(2 * pair + lane / 16) * kLine + lane % 16 * 4 + k % 4]);
    };
    const auto nibble = [&] { return byte(q % 8) >> q / 8 % 2 * 4 & 15; };
    const auto two = [&] { return byte(q / 4) >> q % 4 * 2 & 3; };
    const int zero = w_.form.zero_point;
    switch (w_.layout) {
      case Layout::int2:
        return two() - zero;
      case Layout::int3:
        return (two() | (byte(4 + q / 8) >> q % 8 & 1) << 2) - zero;
      case Layout::int4:
        return nibble() - zero;
      case Layout::int5:
        return (nibble() | (byte(8 + q / 8) >> q % 8 & 1) << 4) - zero;
      case Layout::int6:
        return (nibble() | (byte(8 + q / 4) >> q % 4 * 2 & 3) << 4) - zero;
      case Layout::int8:
        return byte(q) - 128 - zero;
      case Layout::table4:
        return w_.form.values[nibble()];
      default:
        return trit(byte(q % 8), q / 8) - zero;
    }
  }
  static int trit(int byte, int64_t which) {
    const int v = byte < 192 ? byte % 64 : 64 + (byte - 192) / 3;
    const int fifth = byte < 192 ? byte / 64 : (byte - 192) % 3;
    const int all[] = {v % 3, v / 3 % 3, v / 9 % 3, v / 27, fifth};
    return all[which];
  }

  const PackedMatrix& w_;
  Unit unit_;
};

TEST(Pack, KeepsEveryWeight) {
  for (const Format* format : integer_formats()) {
    for (const Shape shape : shapes(*format)) {
      const Weights w = random_matrix(format->dtype, shape.n_out, shape.n_in, 3);
      const Packed packed = pack_all(w);
      const PackedReader reader(packed.matrix);
      int different = 0;
      for (int64_t row = 0; row < shape.n_out; ++row) {
        for (int64_t k = 0; k < shape.n_in; ++k) {
          // Zeros lose their sign, and denormal scales count as 0.
          const float want = w.decoded[row * shape.n_in + k];
          const float got = reader.weight(row, k);
          different += got != want && !(got == 0 && std::abs(want) < 0x1p-120f);
        }
      }
      EXPECT_EQ(different, 0) << info(format->dtype).name << " " << shape.n_out << "x"
                              << shape.n_in;
    }
  }
}

TEST(MultiplyQuantized, AgreesWithDoubles) {
  for (const Format* format : integer_formats()) {
    for (const Shape shape : shapes(*format)) {
      const Weights w = random_matrix(format->dtype, shape.n_out, shape.n_in, 5);
      const Packed packed = pack_all(w);
      for (const int row_records : {1, 2}) {
        const auto records =
            quantize(scalar(), random_rows(3, shape.n_in, 6), shape.n_in, row_records);
        const auto y = multiply(scalar(), packed, records.data(), 3, row_records);
        for (int row = 0; row < 3; ++row) {
          const std::byte* record =
              records.data() + row * row_records * activation_bytes(shape.n_in);
          for (int64_t n = 0; n < shape.n_out; ++n) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < shape.n_in; ++k) {
              double x = quantized_value(record, shape.n_in, k);
              if (row_records == 2)
                x += quantized_value(record + activation_bytes(shape.n_in), shape.n_in, k);
              sum += x * w.decoded[n * shape.n_in + k];
              size += std::abs(x * w.decoded[n * shape.n_in + k]);
            }
            const float got = y[row * packed.matrix.n_panels() * kPanelRows + n];
            // A weight in a format with offsets is a difference of larger numbers; denormal
            // scales count as 0.
            EXPECT_NEAR(got, sum, (format->integer.has_offset ? 4e-5 : 4e-6) * size + 1e-34)
                << info(format->dtype).name << " row " << row << " output " << n;
          }
        }
      }
    }
  }
}

TEST(MultiplyQuantized, PadsOutputsWithZeros) {
  for (const Format* format : integer_formats()) {
    if (shapes(*format).empty()) continue;
    const Shape shape = shapes(*format)[1];
    const int64_t n_out = shape.n_out - 3;
    const Packed packed = pack_all(random_matrix(format->dtype, n_out, shape.n_in, 5));
    const auto records = quantize(scalar(), random_rows(2, shape.n_in, 6), shape.n_in);
    const auto y = multiply(scalar(), packed, records.data(), 2);
    const int64_t stride = packed.matrix.n_panels() * kPanelRows;
    for (int64_t n = n_out; n < stride; ++n) EXPECT_EQ(y[stride + n], 0.0f);
  }
}

TEST(MultiplyQuantized, GivesTheSameBitsOnEveryInstructionSetAndForAnyNumberOfRows) {
  std::vector<int> counts = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33, 64, 70};
  if (runs_emulated()) counts = {1, 2, 3, 4, 5, 9, 14};
  const int most = counts.back();  // 70: with residuals more records than any kernel takes at once
  for (const Format* format : integer_formats()) {
    for (const Shape shape : shapes(*format)) {
      const Weights w = random_matrix(format->dtype, shape.n_out, shape.n_in, 5);
      const Packed packed = pack_all(w);
      for (const int row_records : {1, 2}) {
        const auto records =
            quantize(scalar(), random_rows(most, shape.n_in, 6), shape.n_in, row_records);
        const int64_t stride = packed.matrix.n_panels() * kPanelRows;
        const int64_t bytes = row_records * activation_bytes(shape.n_in);
        const auto want = multiply(scalar(), packed, records.data(), most, row_records);
        for (const Kernels* kernels : tested_kernels()) {
          for (const int n_rows : counts) {
            const int first = (most - n_rows) / 2;  // other rows at other places
            const auto got =
                multiply(*kernels, packed, records.data() + first * bytes, n_rows, row_records);
            EXPECT_EQ(std::memcmp(got.data(), want.data() + first * stride, got.size() * 4), 0)
                << info(format->dtype).name << " " << kernels->isa << " " << n_rows << " rows, "
                << shape.n_out << "x" << shape.n_in;
          }
        }
      }
    }
  }
}

// All bytes of the file equal: extreme codes, scales that are huge, NaN or Inf. Sums stay far from
// overflow and all instruction sets give the same numbers.
TEST(MultiplyQuantized, SurvivesExtremeCodesAndScales) {
  constexpr int64_t kOut = 32;
  const int64_t n_in = at_most_if_emulated(8192, 1024);
  const int most = at_most_if_emulated(13, 7);
  for (const Format* format : integer_formats()) {
    if (matrix_bytes(format->dtype, kOut, n_in) < 0) continue;
    for (const int byte : {0x00, 0x7b, 0x80, 0xff}) {
      Weights w;
      w.bytes.assign(matrix_bytes(format->dtype, kOut, n_in), static_cast<std::byte>(byte));
      w.matrix = {format->dtype, kOut, n_in, w.bytes};
      const Packed packed = pack_all(w);
      for (const float x : {1.0f, -1.0f}) {
        const auto records = quantize(scalar(), std::vector<float>(most * n_in, x), n_in);
        const auto want = multiply(scalar(), packed, records.data(), most);
        const ScaleKind kind = format->integer.scales;  // others may be too large for the sums
        const bool tamed = kind == ScaleKind::f16 || kind == ScaleKind::steps;
        for (const float y : want)
          EXPECT_TRUE(!tamed || std::isfinite(y)) << info(format->dtype).name << " " << byte;
        for (const Kernels* kernels : tested_kernels()) {
          for (const int n_rows : {2, 7, 1, 4, 13}) {
            if (runs_emulated() && n_rows != 2 && n_rows != 7) break;
            const auto got = multiply(*kernels, packed, records.data(), n_rows);
            for (size_t i = 0; i < got.size(); ++i) {
              ASSERT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))
                  << info(format->dtype).name << " " << kernels->isa << " " << byte;
            }
          }
        }
      }
    }
  }
}

// The first record of an int8_residual row is the int8 row: what a reader of int8 takes from it.
TEST(MultiplyQuantized, ReadsTheFirstTermsOfRowsInTwo) {
  const Packed packed = pack_all(random_matrix(Dtype::q4_1, 64, 96, 5));
  const std::vector<float> x = random_rows(5, 96, 6);
  const auto one = quantize(scalar(), x, 96), two = quantize(scalar(), x, 96, 2);
  for (const Kernels* kernels : tested_kernels()) {
    const auto want = multiply(*kernels, packed, one.data(), 5);
    std::vector<float> got(want.size(), NAN);
    kernels->linear.multiply_quantized(packed.matrix, two.data(), 2 * activation_bytes(96), 5, 1, 0,
                                       2, Epilogue{.out = got.data(), .out_stride = 64});
    EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * 4), 0) << kernels->isa;
  }
}

TEST(MultiplyQuantized, ComputesPanelRangesWithBiasOntoTheResidual) {
  const Weights w = random_matrix(Dtype::q4_1, 160, 96, 5);
  const Packed packed = pack_all(w);
  const auto records = quantize(scalar(), random_rows(9, 96, 6), 96);
  const auto product = multiply(scalar(), packed, records.data(), 9);
  const std::vector<float> bias = random_rows(1, 160, 8), residual = random_rows(9, 160, 9);
  for (const Kernels* kernels : tested_kernels()) {
    std::vector<float> out = residual;
    Epilogue epilogue{.out = out.data(), .out_stride = 160, .bias = bias.data(), .add = true};
    kernels->linear.multiply_quantized(packed.matrix, records.data(), activation_bytes(96), 9, 1, 1,
                                       3, epilogue);
    for (int64_t i = 0; i < 9 * 160; ++i) {
      const bool inside = i % 160 >= 32 && i % 160 < 96;
      EXPECT_EQ(out[i], inside ? residual[i] + (product[i] + bias[i % 160]) : residual[i]);
    }
  }
}

// Formats without integer form use the float kernels.
TEST(MultiplyFloat, AgreesWithDoublesAndBetweenInstructionSets) {
  for (const Format* format : formats()) {
    if (format->integer.group) continue;
    const Dtype dtype = format->dtype;
    for (const Shape shape : {Shape{32, 1}, {40, 33}, {96, at_most_if_emulated(576, 80)}}) {
      const Weights w = random_matrix(dtype, shape.n_out, shape.n_in, 5);
      const Packed packed = pack_all(w);
      const int64_t stride = packed.matrix.n_panels() * kPanelRows;
      const std::vector<float> x = random_rows(26, shape.n_in, 6);
      const auto multiply_by = [&](const Kernels& kernels, int n_rows) {
        std::vector<float> out(n_rows * stride, NAN);
        Epilogue epilogue{.out = out.data(), .out_stride = stride};
        kernels.linear.multiply_float(packed.matrix, x.data(), shape.n_in, n_rows, 0,
                                      packed.matrix.n_panels(), epilogue);
        return out;
      };
      const std::vector<float> want = multiply_by(scalar(), 26);
      for (const Kernels* kernels : tested_kernels()) {
        for (const int n_rows : {26, 1, 2, 3, 5, 7, 12, 13}) {
          const std::vector<float> got = multiply_by(*kernels, n_rows);
          EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * 4), 0)
              << info(dtype).name << " " << kernels->isa << " " << n_rows;
        }
      }
      for (int64_t i = 0; i < 26 * shape.n_out; ++i) {
        const int64_t row = i / shape.n_out, n = i % shape.n_out;
        double sum = 0, size = 0;
        for (int64_t k = 0; k < shape.n_in; ++k) {
          const double term = double{x[row * shape.n_in + k]} * w.decoded[n * shape.n_in + k];
          sum += term;
          size += std::abs(term);
        }
        EXPECT_NEAR(want[row * stride + n], sum, 1e-6 * size);
      }
    }
  }
}

TEST(MultiplyExact, IsOneChainOfFmaInF64OverDecodedWeights) {
  for (const Format* format : formats()) {
    if (shapes(*format).empty()) continue;
    const int64_t n_in = at_most_if_emulated(512, 256), n_out = 40;
    const int most = at_most_if_emulated(15, 7);
    const Weights w = random_matrix(format->dtype, n_out, n_in, 5);
    const std::vector<float> coarse = random_rows(most, n_in, 6);
    std::vector<double> x(coarse.begin(), coarse.end()), want(most * 64, 0.0);
    for (double& number : x) number /= 3;  // that no f32 holds
    for (int64_t i = 0; i < most * n_out; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < n_in; ++k) {
        sum = fused_multiply_add(double{w.decoded[i % n_out * n_in + k]}, x[i / n_out * n_in + k],
                                 sum);
      }
      want[i / n_out * 64 + i % n_out] = sum;
    }
    for (const Kernels* kernels : tested_kernels()) {
      for (const int n_rows : {1, 4, most}) {
        Aligned<std::byte> scratch(exact_scratch_bytes(n_in));
        std::vector<double> got(n_rows * 64, NAN);
        EpilogueOf<double> epilogue{.out = got.data(), .out_stride = 64};
        const auto multiply = [&] {
          kernels->exact.multiply(w.matrix, x.data(), n_in, n_rows, 0, 2, epilogue, scratch.data());
        };
        multiply();
        EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(double)), 0)
            << info(format->dtype).name << " " << kernels->isa;
        std::vector<float> bias(64);
        for (int i = 0; i < 64; ++i) bias[i] = 0.1f * static_cast<float>(i);
        epilogue.bias = bias.data(), epilogue.add = true;
        multiply();
        for (size_t i = 0; i < got.size(); ++i)
          ASSERT_EQ(got[i], want[i] + (want[i] + double{bias[i % 64]})) << kernels->isa;
      }
    }
  }
}

TEST(Kernels, AreFoundByNameWhereTheyRun) {
  const CpuFeatures features = detect_cpu_features();
  EXPECT_EQ(find_kernels("scalar", {}), &scalar());
  EXPECT_EQ(find_kernels("avx2", {}), nullptr);
  EXPECT_EQ(find_kernels("no such thing", features), nullptr);
  EXPECT_EQ(&best_kernels({}), &scalar());
  const Kernels* best = nullptr;  // the last of those that are not passed over here
  for (const Kernels* kernels : supported_kernels()) {
    EXPECT_EQ(find_kernels(kernels->isa, features), kernels);
    if (!kernels->worthwhile || kernels->worthwhile(features)) best = kernels;
  }
  EXPECT_EQ(&best_kernels(features), best);
  // The test run that emulates a processor names the expected choice (./dev test oldx86 arm).
  if (const char* expected = std::getenv("QUERN_EXPECT_ISA")) {
    EXPECT_EQ(best->isa, std::string_view(expected));
  }
}

#if defined(__x86_64__)
// For processors described by hand, so that the machine does not matter.
TEST(Kernels, TheBestAreTheLastThatRunAndAreWorthwhile) {
  CpuFeatures features;
  features.avx2 = features.fma = features.f16c = true;
  EXPECT_EQ(best_kernels(features).isa, "avx2");
  features.avxvnni = true;
  EXPECT_EQ(best_kernels(features).isa, "avxvnni");
  features.avxvnni = false;
  features.avx512f = features.avx512bw = features.avx512vl = features.avx512dq = true;
  EXPECT_EQ(best_kernels(features).isa, "avx2");
  features.avx512vnni = features.avxvnni = true;
  EXPECT_EQ(best_kernels(features).isa, "avx512vnni");
  features.avx512bf16 = features.avx512vbmi = true;
  EXPECT_EQ(best_kernels(features).isa, "avx512bf16");
  features.amx_bf16 = true;  // as on Intel, whose bf16 dot product is slow
  EXPECT_EQ(best_kernels(features).isa, "avx512vnni");
  ASSERT_NE(find_kernels("avx512bf16", features), nullptr);
  features.amx_tile = features.amx_int8 = true;
  EXPECT_EQ(best_kernels(features).isa, "amx");
}
#elif defined(__aarch64__)
TEST(Kernels, TheBestAreTheLastThatRunAndAreWorthwhile) {
  CpuFeatures features;
  features.neon = true;
  EXPECT_EQ(best_kernels(features).isa, "neon");
  features.dotprod = true;
  EXPECT_EQ(best_kernels(features).isa, "dotprod");
  features.i8mm = true;
  EXPECT_EQ(best_kernels(features).isa, "i8mm");
}
#endif

}  // namespace
}  // namespace quern::cpu
