// The 8-bit floats, which ggml's package does not know: their numbers from the definition in
// doubles, and rounding by looking for the nearest of all numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "quant/format.h"

namespace quern {
namespace {

struct Definition {
  Dtype dtype;
  int fraction_bits, bias;
  bool has_infinity;

  int fractions() const { return 1 << fraction_bits; }
  bool is_special(int code) const {
    const int magnitude = code & 0x7f;
    return has_infinity ? magnitude >= 0x80 - fractions() : magnitude == 0x7f;
  }
  double value(int code) const {
    const int magnitude = code & 0x7f, exponent = magnitude >> fraction_bits;
    const double fraction = static_cast<double>(magnitude % fractions()) / fractions();
    const double size =
        exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
    return code & 0x80 ? -size : size;
  }
};
constexpr Definition kE4m3 = {Dtype::f8_e4m3, 3, 7, false};
constexpr Definition kE5m2 = {Dtype::f8_e5m2, 2, 15, true};

float decode(const Definition& d, int code) {
  const std::byte byte{static_cast<uint8_t>(code)};
  float out = 0;
  find_format(d.dtype)->decode({d.dtype, 1, 1, {&byte, 1}}, 0, 1, &out);
  return out;
}

int encode(const Definition& d, float x) {
  std::byte byte{};
  find_format(d.dtype)->encode(&x, 1, &byte);
  return std::to_integer<int>(byte);
}

class Fp8 : public ::testing::TestWithParam<Definition> {};
INSTANTIATE_TEST_SUITE_P(Both, Fp8, ::testing::Values(kE4m3, kE5m2), [](const auto& test) {
  return std::string(quern::info(test.param.dtype).name);
});

TEST_P(Fp8, EveryCodeIsTheNumberOfItsDefinition) {
  const Definition& d = GetParam();
  for (int code = 0; code < 256; ++code) {
    const float x = decode(d, code);
    if (d.is_special(code)) {
      const bool infinite = d.has_infinity && (code & 0x7f) == 0x80 - d.fractions();
      EXPECT_EQ(std::isinf(x), infinite) << code;
      EXPECT_EQ(std::isnan(x), !infinite) << code;
    } else {
      EXPECT_EQ(static_cast<double>(x), d.value(code)) << code;
    }
    EXPECT_EQ(std::signbit(x), code >= 128) << code;
    if (!std::isnan(x)) {
      EXPECT_EQ(encode(d, x), code);
    }
  }
}

// The nearest number, of two the one with an even code.
int nearest(const Definition& d, float x) {
  int best = 0;
  for (int code = 1; code < 128 && !d.is_special(code); ++code) {
    const double before = std::abs(std::abs(double{x}) - d.value(best));
    const double here = std::abs(std::abs(double{x}) - d.value(code));
    if (here < before || (here == before && code % 2 == 0)) best = code;
  }
  return best | (std::signbit(x) ? 0x80 : 0);
}

TEST_P(Fp8, RoundsToTheNearest) {
  const Definition& d = GetParam();
  std::vector<float> all;
  for (int code = 0; code < 127 && !d.is_special(code + 1); ++code) {
    const auto middle = static_cast<float>((d.value(code) + d.value(code + 1)) / 2);
    for (const float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)})
      all.insert(all.end(), {x, -x});
  }
  std::mt19937 random(3);
  const auto most = static_cast<float>(d.value(d.has_infinity ? 0x7b : 0x7e));
  for (int i = 0; i < 20000; ++i) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::abs(x) <= most) all.push_back(x);
  }
  for (const float x : all) ASSERT_EQ(encode(d, x), nearest(d, x)) << x;
}

// As PyTorch's casts: E4M3 has no infinity, so what is too large for it is NaN.
TEST(Fp8, WhatIsTooLarge) {
  const struct {
    Definition d;
    float x;
    int code;
  } cases[] = {{kE4m3, 448, 0x7e},       {kE4m3, 464, 0x7e},     {kE4m3, 464.1f, 0x7f},
               {kE4m3, 1e30f, 0x7f},     {kE4m3, -1e30f, 0xff},  {kE4m3, INFINITY, 0x7f},
               {kE4m3, NAN, 0x7f},       {kE5m2, 57344, 0x7b},   {kE5m2, 61439, 0x7b},
               {kE5m2, 61440, 0x7c},     {kE5m2, 3e38f, 0x7c},   {kE5m2, -3e38f, 0xfc},
               {kE5m2, -INFINITY, 0xfc}, {kE5m2, NAN, 0x7f},     {kE4m3, 1e-45f, 0},
               {kE5m2, -1e-45f, 0x80},   {kE4m3, 0x1p-10f, 0},   {kE4m3, 0x1.01p-10f, 1},
               {kE5m2, 0x1p-17f, 0},     {kE5m2, 0x1.01p-17f, 1}};
  for (const auto& c : cases) EXPECT_EQ(encode(c.d, c.x), c.code) << info(c.d.dtype).name << c.x;
}

}  // namespace
}  // namespace quern
