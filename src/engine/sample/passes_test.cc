#include "engine/sample/passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace quern {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(ExpWeight, IsTheExponentialToTwoUnits) {
  double worst = 0;
  for (float x = 0; x > -70; x -= 0.00137f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(exp_weight(x) - exact) / exact);
  }
  EXPECT_LT(worst, 2 * 0x1p-23);
  EXPECT_EQ(exp_weight(0), 1);
}

TEST(ExpWeight, FarBelowAndNoNumbersWeighNothing) {
  for (const float x : {-87.f, -88.f, -1e30f, -kInf, kNan}) EXPECT_EQ(exp_weight(x), 0);
}

TEST(Passes, AgreeWithPlainLoopsOverAllSizes) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 4);
  std::vector<double> blocks;
  for (int n = 1; n < 700; n += 3) {
    std::vector<float> logits(n);
    for (float& l : logits) l = normal(random);
    if (n > 5) logits[4] = kNan, logits[2] = -kInf;
    float top = -kInf;
    for (const float l : logits) top = l > top ? l : top;
    EXPECT_EQ(largest(logits), top);
    double expected = 0, of_blocks = 0;
    for (const float l : logits) expected += std::isnan(l) ? 0 : std::exp(double{l} - top);
    EXPECT_NEAR(total_weight(logits, top, blocks), expected, 1e-6 * expected) << n;
    for (const double b : blocks) of_blocks += b;
    EXPECT_EQ(blocks.size(), (logits.size() + kBlock - 1) / kBlock);
    EXPECT_NEAR(of_blocks, expected, 1e-6 * expected);
  }
}

TEST(Passes, ForbidTakesBothMasks) {
  std::mt19937 random(4);
  for (const size_t n : {1, 31, 32, 33, 64, 100}) {
    for (const int which : {0, 1, 2, 3}) {  // bit 0: the first is given, bit 1: the second
      std::vector<uint32_t> a((n + 31) / 32), b((n + 31) / 32 + 1);
      for (auto& w : a) w = random() | random();
      for (auto& w : b) w = random() | random();
      const auto bit = [](const std::vector<uint32_t>& m, size_t i) {
        return m[i / 32] >> i % 32 & 1;
      };
      std::vector<float> logits(n, 1);
      forbid(logits, which & 1 ? std::span<const uint32_t>(a) : std::span<const uint32_t>(),
             which & 2 ? std::span<const uint32_t>(b) : std::span<const uint32_t>());
      for (size_t i = 0; i < n; ++i) {
        const bool may = (!(which & 1) || bit(a, i)) && (!(which & 2) || bit(b, i));
        EXPECT_EQ(logits[i], may ? 1 : -kInf) << n << ' ' << which << ' ' << i;
      }
    }
  }
}

}  // namespace
}  // namespace quern
