// The choices of the learning draws, and that they reach their targets.
#include "engine/sample/draws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "engine/sample/sampler.h"

namespace quern {
namespace {

constexpr int kVocabulary = 500;

SamplingOptions plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .penalty_window = 0};
}

// A Zipf law, as words have: token i has weight (i + 1)^-exponent.
std::vector<float> zipf(double exponent) {
  std::vector<float> logits;
  for (int i = 0; i < kVocabulary; ++i)
    logits.push_back(static_cast<float>(-exponent * std::log(i + 1.0)));
  return logits;
}

double probability(const std::vector<float>& logits, int32_t id) {
  double total = 0;
  for (const float l : logits) total += std::exp(double{l});
  return std::exp(double{logits[id]}) / total;
}

// n tokens, each accepted.
std::vector<Sampled> run(const SamplingOptions& options, const std::vector<float>& logits, int n) {
  Sampler sampler(options, {}, {}, kVocabulary);
  SampleScratch scratch;
  std::vector<int32_t> history;
  std::vector<Sampled> all;
  for (int i = 0; i < n; ++i) {
    std::vector<float> copy = logits;
    all.push_back(*sampler.sample(copy, history, 0, {}, scratch));
    sampler.accept(all.back());
    history.push_back(all.back().id);
  }
  return all;
}

TEST(Mirostat, KeepsTheSurpriseNearItsTarget) {
  for (const int version : {1, 2}) {
    for (const float tau : {2.f, 3.5f}) {
      SamplingOptions o = plain();
      o.mirostat = version;
      o.mirostat_tau = tau;
      o.n_probs = 0;
      o.post_sampling_probs = true;
      const auto all = run(o, zipf(1.1), 3000);
      double bits = 0;
      for (size_t i = 500; i < all.size(); ++i) bits -= all[i].logprob / std::log(2.0) / 2500;
      EXPECT_NEAR(bits, tau, 0.1) << version;
    }
  }
}

// Version 2 step by step: which tokens are possible, and what is learnt.
TEST(Mirostat, Version2LeavesOutWhatWouldSurpriseTooMuch) {
  SamplingOptions o = plain();
  o.mirostat = 2;
  o.mirostat_tau = 2;
  const std::vector<float> logits = zipf(1);
  double mu = 4;
  for (const Sampled& s : run(o, logits, 200)) {
    double left = 0;
    int n_left = 0;
    for (int i = 0; i < kVocabulary; ++i) {
      const double p = probability(logits, i);
      if (-std::log2(p) > mu && n_left > 0) break;
      left += p;
      ++n_left;
    }
    ASSERT_LT(s.id, n_left);
    mu -= o.mirostat_eta * (-std::log2(probability(logits, s.id) / left) - o.mirostat_tau);
    ASSERT_NEAR(s.next.mu, mu, 1e-4);
  }
}

TEST(Mirostat, Version1CutsByTheEstimatedExponent) {
  SamplingOptions o = plain();
  o.mirostat = 1;
  o.mirostat_tau = 2;
  const double exponent = 1.3, epsilon = exponent - 1;
  double mu = 4;
  for (const Sampled& s : run(o, zipf(exponent), 200)) {
    const double k =
        std::pow(epsilon * std::exp2(mu) / (1 - std::pow(kVocabulary, -epsilon)), 1 / exponent);
    ASSERT_LT(s.id, std::max(1.0, k));
    mu = s.next.mu;
  }
}

TEST(Mirostat, TakesFlatAndSinglePeaksToo) {
  for (const int version : {1, 2}) {
    SamplingOptions o = plain();
    o.mirostat = version;
    EXPECT_EQ(run(o, std::vector<float>(kVocabulary, 0), 50).size(), 50u);
    std::vector<float> peak(kVocabulary, -80);
    peak[9] = 10;
    for (const Sampled& s : run(o, peak, 50)) EXPECT_EQ(s.id, 9);
  }
}

TEST(Mirostat, ReplacesTheFilters) {
  SamplingOptions o = plain();
  o.mirostat = 2;
  o.mirostat_tau = 8;
  o.top_k = 1;
  bool other = false;
  for (const Sampled& s : run(o, zipf(0.5), 50)) other |= s.id != 0;
  EXPECT_TRUE(other);
}

TEST(Adaptive, TransformsTowardsTheTargetAndLearns) {
  SamplingOptions o = plain();
  o.adaptive_target = 0.3f;
  o.adaptive_decay = 0.5f;
  o.n_probs = 128;
  o.post_sampling_probs = true;
  const std::vector<float> logits = [] {
    std::vector<float> l(kVocabulary, -200);
    l[0] = std::log(0.5f), l[1] = std::log(0.3f), l[2] = std::log(0.2f);
    return l;
  }();
  const double p[] = {0.5, 0.3, 0.2};
  double sum = 0.3 / 0.5, weight = 1 / 0.5;
  for (const Sampled& s : run(o, logits, 100)) {
    const double wanted = std::clamp(2 * 0.3 - sum / weight, 0.0, 1.0);
    const auto transformed = [&](double x) {
      const double d = std::abs(x - wanted) / 0.3;
      return std::exp(5 - 10 * d * d / (1 + d));
    };
    double total = transformed(0) * (kVocabulary - 3);
    for (const double x : p) total += transformed(x);
    const double of_chosen = s.id < 3 ? p[s.id] : 0;
    ASSERT_NEAR(std::exp(s.logprob), transformed(of_chosen) / total, 1e-5);
    sum = of_chosen + 0.5 * sum;
    weight = 1 + 0.5 * weight;
    ASSERT_NEAR(s.next.weighted_sum, sum, 1e-5);
    ASSERT_NEAR(s.next.total_weight, weight, 1e-5);
  }
}

TEST(Adaptive, TheAverageComesToTheTarget) {
  SamplingOptions o = plain();
  o.min_p = 0.05f;  // it needs a filter before it: it prefers the tail
  const std::vector<float> logits = zipf(1.2);
  const auto mean = [&](float target) {
    o.adaptive_target = target;
    double sum = 0;
    for (const Sampled& s : run(o, logits, 2000)) sum += probability(logits, s.id) / 2000;
    return sum;
  };
  EXPECT_LT(mean(0.05f), mean(0.2f));
  EXPECT_LT(mean(0.2f), mean(0.5f));
}

TEST(Draws, OnlyAcceptedTokensTeach) {
  for (const bool adaptive : {false, true}) {
    SamplingOptions o = plain();
    adaptive ? o.adaptive_target = 0.2f : o.mirostat = 2;
    const std::vector<float> logits = zipf(1);
    const std::vector<Sampled> once = run(o, logits, 40);
    // The same with draft tokens that are sampled and rejected, and a copy that diverges.
    Sampler sampler(o, {}, {}, kVocabulary);
    SampleScratch scratch;
    std::vector<int32_t> history;
    for (const Sampled& expected : once) {
      std::vector<float> copy = logits;
      std::vector<int32_t> longer = history;
      longer.push_back(3);
      Sampler astray = sampler;
      astray.accept(*astray.sample(copy, longer, 0, {}, scratch));
      copy = logits;
      ASSERT_TRUE(sampler.sample(copy, longer, 0, {}, scratch));
      copy = logits;
      const Sampled s = *sampler.sample(copy, history, 0, {}, scratch);
      ASSERT_EQ(s.id, expected.id);
      ASSERT_EQ(s.next, expected.next);
      Sampler restored(o, {}, {}, kVocabulary);
      restored.restore(sampler.state());
      copy = logits;
      ASSERT_EQ(restored.sample(copy, history, 0, {}, scratch)->next, expected.next);
      sampler.accept(s);
      history.push_back(s.id);
    }
  }
}

}  // namespace
}  // namespace quern
