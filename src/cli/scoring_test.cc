#include "cli/scoring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace quern::cli {
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

}  // namespace
}  // namespace quern::cli
