// Every format against the decoder of ggml's own Python package, bit for bit, and its integer form
// against its decoder.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/float16.h"
#include "quant/format.h"
#include "support/npz.h"

namespace quern {
namespace {

const testing::Arrays& reference() {
  static const testing::Arrays arrays = [] {
    auto read = testing::read_npz(QUERN_SOURCE_DIR "/tests/reference/quants.npz");
    CHECK(read, "tests/reference/quants.npz cannot be read");
    return std::move(*read);
  }();
  return arrays;
}

std::string label(const ::testing::TestParamInfo<const Format*>& test) {
  return std::string(info(test.param->dtype).name);
}

std::string key(const Format& format, const char* what) {
  return std::string(info(format.dtype).name) + "/" + what;
}

std::vector<uint32_t> bits(std::span<const float> floats) {
  std::vector<uint32_t> out(floats.size());
  std::memcpy(out.data(), floats.data(), floats.size_bytes());
  return out;
}

bool is_bitnet(const Format& format) { return info(format.dtype).bytes == 0; }

std::vector<const Format*> those(bool (*wanted)(const Format&)) {
  std::vector<const Format*> out;
  for (const Format* format : formats())
    if (wanted(*format)) out.push_back(format);
  return out;
}

class GgmlFormat : public ::testing::TestWithParam<const Format*> {};   // the package decodes it
class GgmlEncoded : public ::testing::TestWithParam<const Format*> {};  // the package encodes it
class BlockedFormat : public ::testing::TestWithParam<const Format*> {
};  // bitnet_test.cc: the rest
class IntegerFormat : public ::testing::TestWithParam<const Format*> {};   // has an integer form
class EncodedInteger : public ::testing::TestWithParam<const Format*> {};  // and can be written

INSTANTIATE_TEST_SUITE_P(Formats, GgmlFormat, ::testing::ValuesIn(those([](const Format& f) {
                           return !is_bitnet(f) && f.dtype != Dtype::q8_k &&
                                  f.dtype != Dtype::f32 && quern::info(f.dtype).gguf >= 0;
                         })),
                         label);
INSTANTIATE_TEST_SUITE_P(Formats, GgmlEncoded, ::testing::ValuesIn(those([](const Format& f) {
                           return reference().count(key(f, "encoded")) > 0;
                         })),
                         label);
INSTANTIATE_TEST_SUITE_P(Formats, BlockedFormat,
                         ::testing::ValuesIn(those([](const Format& f) { return !is_bitnet(f); })),
                         label);
INSTANTIATE_TEST_SUITE_P(Formats, IntegerFormat, ::testing::ValuesIn(those([](const Format& f) {
                           return f.integer.group != 0;
                         })),
                         label);
INSTANTIATE_TEST_SUITE_P(Formats, EncodedInteger, ::testing::ValuesIn(those([](const Format& f) {
                           return f.encode != nullptr && f.integer.group != 0;
                         })),
                         label);

TEST_P(GgmlFormat, DecodesAsGgmlsPackage) {
  const Format& format = *GetParam();
  const auto& blocks = reference().at(key(format, "blocks"));
  const auto& shown = reference().at(key(format, "decoded"));
  const int64_t n_rows = blocks.shape[0], n_cols = info(format.dtype).block;
  const QuantMatrix m{format.dtype, n_rows, n_cols, blocks.bytes};
  ASSERT_EQ(matrix_bytes(format.dtype, n_rows, n_cols), static_cast<int64_t>(blocks.bytes.size()));
  std::vector<float> decoded(n_rows * n_cols);
  format.decode(m, 0, n_rows, decoded.data());
  const auto expected = shown.as<float>();
  EXPECT_EQ(bits(std::span(decoded).first(expected.size())), bits(expected));
  uint64_t checksum = 0;  // as in quants.py
  const auto all = bits(decoded);
  for (size_t i = 0; i < all.size(); ++i) checksum += uint64_t{i + 1} * all[i];
  EXPECT_EQ(checksum, reference().at(key(format, "checksum")).as<uint64_t>()[0]);
}

TEST_P(BlockedFormat, DecodesRowsInTheMiddle) {
  const Format& format = *GetParam();
  const int64_t n_cols = 2 * info(format.dtype).block, n_rows = 5;
  std::vector<std::byte> data(matrix_bytes(format.dtype, n_rows, n_cols));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 151 % 61);
  const QuantMatrix m{format.dtype, n_rows, n_cols, data};
  std::vector<float> all(n_rows * n_cols), some(2 * n_cols);
  format.decode(m, 0, n_rows, all.data());
  format.decode(m, 2, 2, some.data());
  EXPECT_EQ(bits(some), bits(std::span(all).subspan(2 * n_cols, 2 * n_cols)));
}

TEST_P(GgmlEncoded, EncodesAsGgmlsPackage) {
  const Format& format = *GetParam();
  ASSERT_NE(format.encode, nullptr);
  const auto weights = reference().at(key(format, "weights")).as<float>();
  const auto& expected = reference().at(key(format, "encoded")).bytes;
  std::vector<std::byte> encoded(expected.size());
  format.encode(weights.data(), static_cast<int64_t>(weights.size()), encoded.data());
  EXPECT_EQ(encoded, expected);
}

// Blocks of arbitrary bytes; exponents of the f16 and f32 numbers in them may be anything, so
// infinities and NaNs occur.
std::vector<std::byte> random_matrix(const Format& format, int64_t n_rows, int64_t n_cols) {
  std::vector<std::byte> data(matrix_bytes(format.dtype, n_rows, n_cols));
  std::mt19937 random(static_cast<unsigned>(format.dtype));
  for (std::byte& b : data) b = static_cast<std::byte>(random());
  return data;
}

TEST_P(IntegerFormat, IntegerFormGivesTheBitsOfDecode) {
  const Format& format = *GetParam();
  const IntegerForm form = format.integer;
  ASSERT_NE(format.split, nullptr);
  ASSERT_TRUE(form.group == 16 || form.group == 32);
  ASSERT_TRUE(form.bits == 8 || (form.bits >= 2 && form.bits <= 6));
  // A shape that tl1 and tl2 know, too.
  const int64_t n_rows = is_bitnet(format) ? 1536 : 64, n_cols = is_bitnet(format) ? 4096 : 512;
  const auto data = random_matrix(format, n_rows, n_cols);
  const QuantMatrix m{format.dtype, n_rows, n_cols, data};
  const int64_t first = 7, n = 50, groups = n * n_cols / form.group;
  std::vector<int8_t> codes(n * n_cols);
  std::vector<float> scales(groups), offsets(groups), decoded(n * n_cols);
  format.split(m, first, n, codes.data(), scales.data(),
               form.has_offset ? offsets.data() : nullptr);
  format.decode(m, first, n, decoded.data());
  for (int64_t i = 0; i < n * n_cols; ++i) {
    if (form.bits < 8) {
      ASSERT_GE(codes[i], 0);
      ASSERT_LT(codes[i], 1 << form.bits);
    }
    if (form.values) {
      ASSERT_NE(std::find(form.values, form.values + 16, codes[i]), form.values + 16);
    }
    const int64_t g = i / form.group;
    float weight = scales[g] * static_cast<float>(codes[i] - form.zero_point);
    if (form.has_offset) weight += offsets[g];
    if (std::isnan(weight)) {
      ASSERT_TRUE(std::isnan(decoded[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(weight), std::bit_cast<uint32_t>(decoded[i])) << i;
    }
    if (form.scales == ScaleKind::f16 && !std::isnan(scales[g]) && !std::isnan(offsets[g])) {
      ASSERT_EQ(f16_to_f32(f32_to_f16(scales[g])), scales[g]);
      ASSERT_EQ(f16_to_f32(f32_to_f16(offsets[g])), offsets[g]);
    }
  }
}

TEST_P(IntegerFormat, ScalesAreOfTheKindItSays) {
  const Format& format = *GetParam();
  const IntegerForm form = format.integer;
  const bool has_steps = form.scales == ScaleKind::steps;
  ASSERT_EQ(format.split_steps != nullptr, has_steps);
  const int64_t n_rows = is_bitnet(format) ? 1536 : 64, n_cols = is_bitnet(format) ? 4096 : 512;
  const auto data = random_matrix(format, n_rows, n_cols);
  const QuantMatrix m{format.dtype, n_rows, n_cols, data};
  const int64_t n = 50, groups = n * n_cols / form.group, per_super = 256 / form.group;
  std::vector<int8_t> codes(n * n_cols);
  std::vector<float> scales(groups), offsets(groups);
  format.split(m, 7, n, codes.data(), scales.data(), offsets.data());
  std::vector<SuperScale> supers(n * n_cols / 256);
  if (has_steps) format.split_steps(m, 7, n, supers.data());
  for (int64_t g = 0; g < groups; ++g) {
    if (form.scales == ScaleKind::one) {
      ASSERT_EQ(std::bit_cast<uint32_t>(scales[g]), std::bit_cast<uint32_t>(scales[0]));
    }
    if (form.scales == ScaleKind::power) {
      ASSERT_GT(scales[g], 0.0f);
      ASSERT_EQ(std::ldexp(1.0f, std::ilogb(scales[g])), scales[g]);
    }
    if (!has_steps) continue;
    const SuperScale& super = supers[g / per_super];
    const int scale_step = super.scale_steps[g % per_super];
    const int offset_step = super.offset_steps[g % per_super];
    const float d = f16_to_f32(super.d), dmin = f16_to_f32(super.dmin);
    if (form.step_bits == 0) {
      ASSERT_EQ(scale_step, 1);
    }
    if (form.step_bits == 4) {
      ASSERT_TRUE(scale_step >= 0 && scale_step <= 15 && offset_step <= 15);
    }
    ASSERT_GE(offset_step, 0);
    if (std::isfinite(d)) {
      ASSERT_EQ(scales[g], d * form.step_unit * static_cast<float>(scale_step));
    }
    if (form.has_offset && std::isfinite(dmin)) {
      ASSERT_EQ(offsets[g], -(dmin * static_cast<float>(offset_step)));
    }
  }
}

// Encoding and decoding again stays within the format's step.
TEST_P(EncodedInteger, EncodeComesNearTheWeights) {
  const Format& format = *GetParam();
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> weights(4 * 512), decoded(weights.size());
  for (float& w : weights) w = normal(random);
  std::vector<std::byte> data(matrix_bytes(format.dtype, 4, 512));
  format.encode(weights.data(), static_cast<int64_t>(weights.size()), data.data());
  format.decode({format.dtype, 4, 512, data}, 0, 4, decoded.data());
  double error = 0, power = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    error += std::pow(weights[i] - decoded[i], 2);
    power += std::pow(weights[i], 2);
  }
  const bool ternary = format.integer.zero_point == 1;
  const double bits_per_weight = 8.0 * static_cast<double>(data.size()) / weights.size();
  // Six decibels a bit, less the distance of a Gaussian from uniform codes.
  EXPECT_LT(error / power, ternary ? 0.8 : 4 * std::pow(0.25, bits_per_weight - 1));
}

// Any f32 may be encoded, and any code decodes: nothing is undefined (the sanitizers watch).
TEST_P(EncodedInteger, EncodeSurvivesInfinitiesAndSubnormals) {
  const Format& format = *GetParam();
  std::vector<float> weights(512);
  const float odd[] = {INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 3e38f, -3e38f, 0.0f};
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = odd[(i / 32 * 3 + i) % 8];
  for (size_t i = 256; i < weights.size(); ++i) weights[i] = odd[3 + i % 2];  // subnormals alone
  std::vector<std::byte> data(matrix_bytes(format.dtype, 1, 512));
  format.encode(weights.data(), 512, data.data());
  std::vector<float> decoded(512);
  format.decode({format.dtype, 1, 512, data}, 0, 1, decoded.data());
}

// The plain type that f32 kernels read instead of the format holds every weight exactly.
TEST(Formats, PlainTypesHoldEveryWeightExactly) {
  for (const Format* format : formats()) {
    if (format->integer.group != 0) continue;
    const Format& plain = *find_format(format->plain);
    const int64_t n = 4 * 512;
    std::vector<std::byte> data = random_matrix(*format, 4, 512);
    std::vector<std::byte> kept(matrix_bytes(format->plain, 4, 512));
    std::vector<float> decoded(n), again(n);
    format->decode({format->dtype, 4, 512, data}, 0, 4, decoded.data());
    plain.encode(decoded.data(), n, kept.data());
    plain.decode({format->plain, 4, 512, kept}, 0, 4, again.data());
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(decoded[i])) {
        ASSERT_TRUE(std::isnan(again[i])) << info(format->dtype).name;
      } else {
        ASSERT_EQ(std::bit_cast<uint32_t>(again[i]), std::bit_cast<uint32_t>(decoded[i]))
            << info(format->dtype).name;
      }
    }
  }
}

TEST(Formats, EveryWeightTypeHasOne) {
  for (int d = 0; d < static_cast<int>(Dtype::count); ++d) {
    const auto dtype = static_cast<Dtype>(d);
    const bool plain = dtype == Dtype::f64 || (dtype >= Dtype::i8 && dtype <= Dtype::i64);
    const Format* format = find_format(dtype);
    EXPECT_EQ(format == nullptr, plain) << info(dtype).name;
    if (format == nullptr) continue;
    EXPECT_EQ(format->dtype, dtype);
    EXPECT_EQ(format->integer.group == 0, format->split == nullptr);
  }
}

TEST(Formats, MatrixBytesChecksShapesAndOverflow) {
  EXPECT_EQ(matrix_bytes(Dtype::f32, 3, 5), 60);
  EXPECT_EQ(matrix_bytes(Dtype::i64, 3, 5), 120);
  EXPECT_EQ(matrix_bytes(Dtype::q4_0, 2, 64), 72);
  EXPECT_EQ(matrix_bytes(Dtype::q4_0, 2, 33), -1);
  EXPECT_EQ(matrix_bytes(Dtype::q6_k, 1, 128), -1);
  EXPECT_EQ(matrix_bytes(Dtype::q4_0, -1, 32), -1);
  EXPECT_EQ(matrix_bytes(Dtype::q4_0, 1, -32), -1);
  EXPECT_EQ(matrix_bytes(Dtype::f32, int64_t{1} << 40, int64_t{1} << 40), -1);
  EXPECT_EQ(matrix_bytes(Dtype::f32, int64_t{1} << 31, int64_t{1} << 30), -1);
  EXPECT_EQ(matrix_bytes(Dtype::f32, int64_t{1} << 30, int64_t{1} << 30), int64_t{1} << 62);
  EXPECT_EQ(matrix_bytes(Dtype::i2_s, 5, 256), 5 * 64 + 32);
  EXPECT_EQ(matrix_bytes(Dtype::i2_s, 5, 192), -1);
  EXPECT_EQ(matrix_bytes(Dtype::i2_s, int64_t{1} << 40, int64_t{1} << 40), -1);
  EXPECT_EQ(matrix_bytes(Dtype::tl1, 3200, 8640), 3200 * 8640 / 4 + 32);
  EXPECT_EQ(matrix_bytes(Dtype::tl1, 2560, 2560), -1);
  EXPECT_EQ(matrix_bytes(Dtype::tl2, 2560, 2560), -1);
}

}  // namespace
}  // namespace quern
