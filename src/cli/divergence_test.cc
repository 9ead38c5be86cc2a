#include "cli/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace quern::cli {
namespace {

TEST(KlDivergence, IsWhatTheFormulaSays) {
  // p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): sum p log(p/q) = log(2)/2 - log(2)/4.
  const std::vector<float> p = {std::log(2.0f) + 7, 7, 7}, q = {-3, -3, std::log(2.0f) - 3};
  EXPECT_NEAR(kl_divergence(p, q), std::log(2.0) / 4, 1e-6);
  EXPECT_EQ(kl_divergence(p, p), 0);
}

TEST(Divergence, CountsRowsSharesAndAgreement) {
  Divergence d;
  const std::vector<float> sure = {5, 0}, unsure = {0.1f, 0}, other = {0, 1};
  for (int i = 0; i < 98; ++i) d.add(sure, sure);
  d.add(sure, unsure);
  d.add(sure, other);
  EXPECT_EQ(d.n_rows(), 100);
  EXPECT_EQ(d.percentile(0.5), 0);
  EXPECT_EQ(d.percentile(0.98), 0);
  EXPECT_EQ(d.percentile(0.99), kl_divergence(sure, unsure));
  EXPECT_EQ(d.percentile(1), kl_divergence(sure, other));
  EXPECT_DOUBLE_EQ(d.mean(), (kl_divergence(sure, unsure) + kl_divergence(sure, other)) / 100);
  EXPECT_DOUBLE_EQ(d.agreement(), 0.99);
}

TEST(LogitStore, GivesRowsBackInOrderAndKnowsItsEnd) {
  auto store = LogitStore::create();
  ASSERT_TRUE(store);
  const std::vector<float> a = {1, 2, 3}, b = {4, 5, 6};
  ASSERT_TRUE(store->append(a));
  ASSERT_TRUE(store->append(b));
  ASSERT_TRUE(store->rewind());
  std::vector<float> row(3);
  ASSERT_TRUE(store->next(row));
  EXPECT_EQ(row, a);
  ASSERT_TRUE(store->next(row));
  EXPECT_EQ(row, b);
  EXPECT_EQ(store->next(row).error().code, Code::corrupt);
}

}  // namespace
}  // namespace quern::cli
