#include "measure/scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace quern::measure {
namespace {

TEST(Scoring, IsTheLogSoftmax) {
  const std::vector<float> logits{1, 2, 3};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(negative_log_likelihood(logits, 0), std::log(sum) - 1, 1e-12);
  EXPECT_NEAR(negative_log_likelihood(logits, 2), std::log(sum) - 3, 1e-12);
}

TEST(Scoring, DoesNotOverflow) {
  const std::vector<float> logits{1e30f, 0, -1e30f};
  EXPECT_EQ(negative_log_likelihood(logits, 0), 0);
  EXPECT_DOUBLE_EQ(negative_log_likelihood(logits, 1), 1e30f);
}

TEST(Scoring, ShowsLogitsThatAreNoNumbers) {
  const std::vector<float> logits{0, std::numeric_limits<float>::quiet_NaN(), 1};
  EXPECT_FALSE(std::isfinite(negative_log_likelihood(logits, 0)));
}

TEST(Scoring, FirstOfEqualsIsMostLikely) { EXPECT_EQ(most_likely(std::vector<float>{0, 5, 5}), 1); }

TEST(Scoring, AveragesOverPredictions) {
  Score score;
  score.add(std::vector<float>{0, 0}, 0);  // log 2, hit (first of equals)
  score.add(std::vector<float>{0, 0}, 1);  // log 2, miss
  EXPECT_EQ(score.n_predicted(), 2);
  EXPECT_NEAR(score.nll(), std::log(2.0), 1e-12);
  EXPECT_NEAR(score.perplexity(), 2, 1e-12);
  EXPECT_EQ(score.top1(), 0.5);
}

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
}  // namespace quern::measure
