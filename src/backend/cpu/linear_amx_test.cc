// Products by tiles: against doubles of the same bf16 numbers, and the same bits however they are
// cut. Skipped where no ISA has tiles.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"
#include "base/float16.h"

namespace quern::cpu {
namespace {

using testing_support::Aligned;
using testing_support::random_matrix;
using testing_support::random_rows;
using testing_support::Weights;

// Tiles take subnormal numbers as zero, and so does the packing with scales.
constexpr float kSmallest = 0x1p-120f;

const Bf16Kernels* bf16_kernels() { return best_kernels(detect_cpu_features()).bf16_linear; }

// To the nearest bf16, halves away from zero, as weights are rounded.
float nearest_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x8000) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

struct Product {
  std::shared_ptr<const Aligned<std::byte>> packed;
  Weights weights;
  PackedMatrix matrix;
  std::vector<float> x;                         // (rows, n_in)
  std::shared_ptr<Aligned<std::byte>> records;  // of x
  int64_t record_stride;

  Product(Dtype dtype, int64_t n_out, int64_t n_in, int rows)
      : weights(random_matrix(dtype, n_out, n_in, 5)),
        x(random_rows(rows, n_in, 6)),
        record_stride(activation_bytes(n_in)) {
    const Format& format = *find_format(dtype);
    auto bytes = std::make_shared<Aligned<std::byte>>(packed_bytes(format, n_out, n_in));
    matrix = {layout_of(format), format.integer, n_out, n_in, {}};
    matrix.data = {bytes->data(), static_cast<size_t>(bytes->size())};
    pack(weights.matrix, 0, matrix.n_panels(), bytes->data());
    packed = bytes;
    round_rows();
  }

  int n_rows() const { return static_cast<int>(x.size() / matrix.n_in); }
  void round_rows() {
    records = std::make_shared<Aligned<std::byte>>(n_rows() * record_stride);
    for (int row = 0; row < n_rows(); ++row) {
      bf16_kernels()->round_row(x.data() + row * matrix.n_in, matrix.n_in,
                                records->data() + row * record_stride);
    }
  }

  int64_t stride() const { return matrix.n_panels() * kPanelRows; }

  // Rows [first, first + n), panels [p0, p1); outputs of other panels stay NAN.
  std::vector<float> multiply(int first, int n, int64_t p0, int64_t p1) const {
    std::vector<float> out(n * stride(), NAN);
    Aligned<std::byte> scratch(bf16_kernels()->scratch_bytes(matrix.n_in, n));
    std::memset(scratch.data(), 0xff, scratch.size());
    const Epilogue epilogue{.out = out.data(), .out_stride = stride()};
    bf16_kernels()->multiply(matrix, records->data() + first * record_stride, record_stride, n, p0,
                             p1, epilogue, scratch.data());
    return out;
  }
  std::vector<float> multiply_all() const { return multiply(0, n_rows(), 0, matrix.n_panels()); }
};

std::vector<const Format*> some_formats() {
  std::vector<const Format*> list;
  for (const Format* format : formats()) {
    if (matrix_bytes(format->dtype, 40, 512) >= 0) list.push_back(format);
  }
  return list;
}

class Bf16Linear : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!bf16_kernels()) GTEST_SKIP() << "no tiles here";
  }
};

TEST_F(Bf16Linear, RoundsRowsToNearestEvenAndFillsWithZeros) {
  for (const int64_t n_in : {1, 15, 16, 17, 32, 33, 63, 64, 576, 1000}) {
    const std::vector<float> x = random_rows(1, n_in, 7);
    const int64_t bytes = activation_bytes(n_in);
    Aligned<std::byte> record(bytes);
    std::memset(record.data(), 0xff, bytes);
    bf16_kernels()->round_row(x.data(), n_in, record.data());
    for (int64_t k = 0; k < (n_in + 31) / 32 * 32; ++k) {
      uint16_t got;
      std::memcpy(&got, record.data() + 2 * k, 2);
      EXPECT_EQ(got, k < n_in ? f32_to_bf16(x[k]) : 0) << n_in << " " << k;
    }
  }
}

// The weights (n_out, n_in) a product computes with: of rows that are one at one input each.
std::vector<float> read_back(const Product& p) {
  const int64_t n_in = p.matrix.n_in, n_out = p.matrix.n_out;
  Product ones(p);
  std::fill(ones.x.begin(), ones.x.end(), 0.0f);
  ones.x.resize(n_in * n_in);
  for (int64_t k = 0; k < n_in; ++k) ones.x[k * n_in + k] = 1;
  ones.round_rows();
  const std::vector<float> out = ones.multiply_all();
  std::vector<float> weights(n_out * n_in);
  for (int64_t i = 0; i < n_out * n_in; ++i) {
    weights[i] = out[i % n_in * ones.stride() + i / n_in];
  }
  return weights;
}

// With offsets, or scales of many bits, the f32 weight may be another in its last bits.
TEST_F(Bf16Linear, RoundsEveryWeightToTheNearest) {
  for (const Format* format : some_formats()) {
    const Product p(format->dtype, 40, 512, 1);
    const std::vector<float> got = read_back(p), &want = p.weights.decoded;
    int different = 0, far = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      float largest = 0;  // of the block
      for (size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) {
        largest = std::max(largest, std::abs(want[k]));
      }
      const float off = 0x1p-8f * std::abs(want[i]) + 0x1p-15f * largest + kSmallest;
      different += std::abs(got[i] - nearest_bf16(want[i])) > kSmallest;
      far += !(std::abs(got[i] - want[i]) <= off);
    }
    const IntegerForm& form = format->integer;
    if (!form.group || (form.scales == ScaleKind::f16 && !form.has_offset)) {
      EXPECT_EQ(different, 0) << info(format->dtype).name;
    }
    EXPECT_EQ(far, 0) << info(format->dtype).name;
  }
}

TEST_F(Bf16Linear, AgreesWithDoubles) {
  for (const Format* format : some_formats()) {
    const int64_t n_out = 40, n_in = 512;
    const Product p(format->dtype, n_out, n_in, 19);
    const std::vector<float> out = p.multiply_all(), weights = read_back(p);
    for (int row = 0; row < 19; ++row) {
      for (int64_t n = 0; n < n_out; ++n) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < n_in; ++k) {
          const double x = bf16_to_f32(f32_to_bf16(p.x[row * n_in + k]));
          sum += x * weights[n * n_in + k];
          size += std::abs(x * weights[n * n_in + k]);
        }
        EXPECT_NEAR(out[row * p.stride() + n], sum, 2e-6 * size + 512 * kSmallest)
            << info(format->dtype).name;
      }
      for (int64_t n = n_out; n < p.stride(); ++n) EXPECT_EQ(out[row * p.stride() + n], 0.0f);
    }
  }
}

TEST_F(Bf16Linear, TakesInputsThatAreNoWholeSteps) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const int64_t n_in : {1, 31, 33, 95}) {
      const Product p(dtype, 33, n_in, 3);
      const std::vector<float> out = p.multiply_all();
      for (int64_t i = 0; i < 3 * 33; ++i) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < n_in; ++k) {
          const double term = double{bf16_to_f32(f32_to_bf16(p.x[i / 33 * n_in + k]))} *
                              nearest_bf16(p.weights.decoded[i % 33 * n_in + k]);
          sum += term;
          size += std::abs(term);
        }
        EXPECT_NEAR(out[i / 33 * p.stride() + i % 33], sum, 2e-6 * size + 100 * kSmallest);
      }
    }
  }
}

// The last shape has several blocks of rows and K-blocks, and more panels than sums are kept of.
TEST_F(Bf16Linear, GivesTheSameBitsForAnyRowsPanelsAndPlaces) {
  struct Shape {
    Dtype dtype;
    int64_t n_out, n_in;
  };
  for (const Shape& shape : {Shape{Dtype::q4_0, 96, 576},
                             {Dtype::q8_0, 64, 96},
                             {Dtype::q6_k, 33, 512},
                             {Dtype::bf16, 64, 77},
                             {Dtype::q4_1, 320, 9216}}) {
    const Product p(shape.dtype, shape.n_out, shape.n_in, 300);
    const std::vector<float> want = p.multiply_all();
    const int64_t panels = p.matrix.n_panels();
    for (const int n : {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 129, 150, 299}) {
      const int first = (300 - n) * 2 / 3;
      for (const int64_t p0 : {int64_t{0}, panels / 2}) {
        const auto got = p.multiply(first, n, p0, panels);
        for (int row = 0; row < n; ++row) {
          const int64_t skip = p0 * kPanelRows;
          EXPECT_EQ(std::memcmp(got.data() + row * p.stride() + skip,
                                want.data() + (first + row) * p.stride() + skip,
                                (p.stride() - skip) * sizeof(float)),
                    0)
              << info(shape.dtype).name << " row " << row << " of " << n << " from panel " << p0;
        }
        for (int64_t i = 0; i < p0 * kPanelRows; ++i) EXPECT_TRUE(std::isnan(got[i]));
      }
    }
  }
}

TEST_F(Bf16Linear, NeedsNoMoreScratchForFewerRows) {
  for (const int64_t n_in : {32, 576, 2048, 8192, 30000}) {
    for (int n = 2; n <= 1100; ++n) {
      EXPECT_GE(bf16_kernels()->scratch_bytes(n_in, n), bf16_kernels()->scratch_bytes(n_in, n - 1))
          << n_in << " " << n;
    }
  }
}

TEST_F(Bf16Linear, AddsBiasAndResidualOnce) {
  const Product p(Dtype::q4_0, 64, 96, 21);
  const std::vector<float> product = p.multiply_all();
  const std::vector<float> bias = random_rows(1, 64, 8), residual = random_rows(21, 64, 9);
  for (const int n_rows : {5, 16, 21}) {
    std::vector<float> out = residual;
    const Epilogue epilogue{.out = out.data(), .out_stride = 64, .bias = bias.data(), .add = true};
    Aligned<std::byte> scratch(bf16_kernels()->scratch_bytes(96, n_rows));
    bf16_kernels()->multiply(p.matrix, p.records->data(), p.record_stride, n_rows, 0, 2, epilogue,
                             scratch.data());
    for (int64_t i = 0; i < 21 * 64; ++i) {
      EXPECT_EQ(out[i], i < n_rows * 64 ? residual[i] + (product[i] + bias[i % 64]) : residual[i]);
    }
  }
}

// Ternary weights and int8 rows: nothing is rounded before the end, so the bits are the scalar
// ones.
TEST_F(Bf16Linear, MultipliesInt8RowsWithTernaryWeightsAsTheScalarKernelsDo) {
  constexpr int kRows = 37;
  constexpr int64_t kIn = 1280, kOut = 70;
  int n_formats = 0;
  for (const Format* format : formats()) {
    const Dtype dtype = format->dtype;
    if (!format->integer.group || layout_of(*format) != Layout::ternary) continue;
    if (matrix_bytes(dtype, kOut, kIn) < 0) continue;  // tl1, tl2: the sizes of their models only
    ++n_formats;
    Product p(dtype, kOut, kIn, kRows);
    const LinearKernels& scalar = all_kernels().front()->linear;
    Aligned<std::byte> records(kRows * activation_bytes(kIn));
    for (int row = 0; row < kRows; ++row) {
      float* x = p.x.data() + row * kIn;
      for (int64_t k = 0; k < kIn; ++k)
        x[k] =
            0.017f * static_cast<float>(row + 1) * static_cast<float>((k * 61 + row) % 255 - 127);
      std::byte* record = p.records->data() + row * p.record_stride;
      bf16_kernels()->take_int8_row(x, kIn, record);
      scalar.quantize_row(x, kIn, RowForm::int8_already, records.data() + row * p.record_stride);
    }
    std::vector<float> want(kRows * p.stride(), NAN), got(want);
    scalar.multiply_quantized(p.matrix, records.data(), p.record_stride, kRows, 1, 0,
                              p.matrix.n_panels(), {.out = want.data(), .out_stride = p.stride()});
    Aligned<std::byte> scratch(bf16_kernels()->scratch_bytes(kIn, kRows));
    bf16_kernels()->multiply_int8(p.matrix, p.records->data(), p.record_stride, kRows, 0,
                                  p.matrix.n_panels(),
                                  {.out = got.data(), .out_stride = p.stride()}, scratch.data());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * 4), 0) << info(dtype).name;
  }
  EXPECT_GE(n_formats, 1);
}

}  // namespace
}  // namespace quern::cpu
