#include "engine/pool_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace quern {
namespace {

using Floats = std::vector<float>;

Floats pooled(const std::vector<Floats>& rows, bool normalize, int dimensions) {
  PooledRows pool(static_cast<int>(rows[0].size()));
  for (const Floats& row : rows) pool.add(row);
  Floats out(dimensions, -1);
  EXPECT_TRUE(pool.write(normalize, out));
  return out;
}

TEST(PooledRows, OneRowIsItself) {
  const Floats row = {0.1f, -3e-20f, 7e5f};
  EXPECT_EQ(pooled({row}, false, 3), row);
}

TEST(PooledRows, SeveralGiveTheirMean) {
  EXPECT_EQ(pooled({{1, 2}, {3, 6}, {2, 7}}, false, 2), (Floats{2, 5}));
  // f32 sums would lose the small ones.
  EXPECT_EQ(pooled({{1e8f}, {1}, {-1e8f}, {1}}, false, 1), (Floats{0.5f}));
}

TEST(PooledRows, LengthBecomesOne) {
  EXPECT_EQ(pooled({{3, -4}}, true, 2), (Floats{0.6f, -0.8f}));
  EXPECT_EQ(pooled({{3e-30f, 4e-30f}}, true, 2), (Floats{0.6f, 0.8f}));
  EXPECT_EQ(pooled({{0, 0}}, true, 2), (Floats{0, 0}));
}

TEST(PooledRows, DimensionsAreCutBeforeTheLengthIsTaken) {
  EXPECT_EQ(pooled({{3, -4, 100}}, true, 2), (Floats{0.6f, -0.8f}));
  EXPECT_EQ(pooled({{3, -4, 100}}, false, 1), (Floats{3}));
}

TEST(PooledRows, WhatIsNoNumberIsAnError) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    PooledRows pool(2);
    pool.add(Floats{1, bad});
    Floats out(2);
    const auto outcome = pool.write(true, out);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Code::corrupt);
  }
}

}  // namespace
}  // namespace quern
