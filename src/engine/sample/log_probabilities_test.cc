#include "engine/sample/log_probabilities.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/sample/sampler.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(int n) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(n);
  for (float& l : logits) l = normal(random);
  return logits;
}

TEST(ModelDistribution, IsTheSoftmaxInF64) {
  std::vector<float> logits = random_logits(3000);
  logits[5] = std::numeric_limits<float>::quiet_NaN();
  logits[6] = -kInf;
  ChoiceScratch scratch;
  const ModelDistribution model(logits, scratch);
  double total = 0;
  for (const float l : logits) total += std::isnan(l) ? 0 : std::exp(double{l});
  for (int i = 10; i < 3000; i += 7)
    EXPECT_NEAR(model.log_probability(i), logits[i] - std::log(total), 2e-6);
  EXPECT_EQ(model.log_probability(5), -kInf);
  EXPECT_EQ(model.log_probability(6), -kInf);
  const std::vector<TokenProb> top = model.likeliest(20);
  ASSERT_EQ(top.size(), 20u);
  for (size_t i = 1; i < top.size(); ++i) EXPECT_GE(top[i - 1].logprob, top[i].logprob);
  EXPECT_TRUE(model.likeliest(0).empty());
}

Sampled sample(const SamplingOptions& o, std::vector<float> logits) {
  SampleScratch scratch;
  return *Sampler(o, {}, {}, static_cast<int>(logits.size())).sample(logits, {}, 0, {}, scratch);
}

TEST(LogProbabilities, AreTheModelsWhateverTheOptions) {
  const std::vector<float> logits = random_logits(1000);
  SamplingOptions o;
  o.n_probs = 5;
  const Sampled expected = sample({.temperature = 0, .n_probs = 5}, logits);
  EXPECT_EQ(expected.top[0].id, expected.id);
  EXPECT_EQ(expected.top[0].logprob, expected.logprob);
  o.temperature = 0.2f;
  o.top_k = 3;
  o.logit_bias = {{17, 100}};
  o.banned = {expected.id};
  const Sampled s = sample(o, logits);
  EXPECT_EQ(s.id, 17);
  EXPECT_LT(s.logprob, expected.logprob);
  ASSERT_EQ(s.top.size(), 5u);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(s.top[i].id, expected.top[i].id);  // the banned one too: the model meant it
    EXPECT_EQ(s.top[i].logprob, expected.top[i].logprob);
  }
}

TEST(LogProbabilities, AfterSamplingAreOfWhatWasDrawnFrom) {
  const std::vector<float> logits = random_logits(1000);
  SamplingOptions o{.temperature = 0.5f, .top_k = 3, .top_p = 1, .min_p = 0};
  o.n_probs = 10;
  o.post_sampling_probs = true;
  const Sampled s = sample(o, logits);
  ASSERT_EQ(s.top.size(), 3u);
  double total = 0;
  for (const TokenProb& p : s.top) total += std::exp(p.logprob);
  EXPECT_NEAR(total, 1, 1e-6);
  o.temperature = 0;
  const Sampled greedy = sample(o, logits);
  EXPECT_EQ(greedy.logprob, 0);
  ASSERT_EQ(greedy.top.size(), 1u);
  EXPECT_EQ(greedy.top[0].id, greedy.id);
}

TEST(LogProbabilities, AreNotWorkedOutUnasked) {
  const Sampled s = sample({}, random_logits(100));
  EXPECT_EQ(s.logprob, 0);
  EXPECT_TRUE(s.top.empty());
}

TEST(LogProbabilities, ChangeNoToken) {
  const std::vector<float> logits = random_logits(1000);
  for (int seed = 0; seed < 50; ++seed) {
    SamplingOptions o;
    o.seed = seed;
    const int32_t id = sample(o, logits).id;
    o.n_probs = 3;
    EXPECT_EQ(sample(o, logits).id, id);
    o.post_sampling_probs = true;
    EXPECT_EQ(sample(o, logits).id, id);
  }
}

}  // namespace
}  // namespace quern
