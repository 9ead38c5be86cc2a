#include "base/fma.h"

#include <gtest/gtest.h>

#include <limits>

namespace quern {
namespace {

TEST(FusedMultiplyAdd, RoundsOnce) {
  // The product is a tie of two f32; the sum differs from the tie by less than f64 can represent.
  EXPECT_EQ(fused_multiply_add(0x1.74p-41f, 0x1.95538p-42f, -0x1.53d8p-136f), 0x1.267eaap-82f);
  EXPECT_EQ(fused_multiply_add(0x1.f7p-41f, 0x1.d78ap-39f, -0x1.618p-136f), 0x1.cf4012p-79f);
  EXPECT_EQ(fused_multiply_add(0x1.000002p0f, 0x1p-24f, 0x1p0f), 0x1.000002p0f);
  EXPECT_EQ(fused_multiply_add(0x1p-24f, 1, 1), 1.0f);  // a real middle goes to even
  EXPECT_EQ(fused_multiply_add(0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f), 0x1p-46f);
}

TEST(FusedMultiplyAdd, KeepsWhatIsNoFiniteNumber) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLargest = std::numeric_limits<float>::max();
  EXPECT_EQ(fused_multiply_add(kInfinity, 2, 1), kInfinity);
  EXPECT_EQ(fused_multiply_add(1, 1, -kInfinity), -kInfinity);
  EXPECT_EQ(fused_multiply_add(kLargest, 2, 0), kInfinity);
  EXPECT_EQ(fused_multiply_add(kLargest, 2, -kLargest), kLargest);
  EXPECT_TRUE(std::isnan(fused_multiply_add(kInfinity, 0, 1)));
  EXPECT_TRUE(std::isnan(fused_multiply_add(kInfinity, 1, -kInfinity)));
}

TEST(FusedMultiplyAdd, ReachesTheSmallestNumbers) {
  EXPECT_EQ(fused_multiply_add(0x1p-100f, 0x1p-49f, 0), 0x1p-149f);
  EXPECT_EQ(fused_multiply_add(0x1p-100f, 0x1p-50f, 0), 0.0f);  // a middle, to even
  EXPECT_EQ(fused_multiply_add(0x1p-100f, 0x1.000002p-50f, 0), 0x1p-149f);
}

}  // namespace
}  // namespace quern
