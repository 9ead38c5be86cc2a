#include "engine/sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/sample/random.h"

namespace quern {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// Everything off: the draw is from the plain softmax.
SamplingOptions plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .penalty_window = 0};
}

Sampler sampler_of(const SamplingOptions& options, size_t n_vocab) {
  return Sampler(options, {}, {}, static_cast<int>(n_vocab));
}

// The n_drawn-th token of a sequence.
Result<Sampled> sample(const SamplingOptions& options, std::span<float> logits,
                       std::vector<int32_t> history, int n_drawn, SampleScratch& scratch) {
  const auto n_prompt = static_cast<int64_t>(history.size());
  history.resize(history.size() + n_drawn);
  return sampler_of(options, logits.size()).sample(logits, history, n_prompt, {}, scratch);
}

int32_t pick(SamplingOptions options, std::vector<float> logits, int n_drawn = 0,
             std::vector<int32_t> history = {}) {
  SampleScratch scratch;
  const auto sampled = sample(options, logits, history, n_drawn, scratch);
  EXPECT_TRUE(sampled) << to_string(sampled.error());
  return sampled->id;
}

// How often each token comes in n draws.
std::map<int32_t, int> counts(const SamplingOptions& options, const std::vector<float>& logits,
                              int n) {
  std::map<int32_t, int> count;
  SampleScratch scratch;
  for (int i = 0; i < n; ++i) {
    std::vector<float> copy = logits;
    ++count[sample(options, copy, {}, i, scratch)->id];
  }
  return count;
}

// Pearson's chi-square of n draws against the expected shares; the seeds are fixed, so the outcome
// is too. 5 + 2 * dof is beyond the 99.9th percentile for all dof here.
void expect_shares(const std::map<int32_t, int>& count, const std::map<int32_t, double>& shares) {
  int n = 0;
  for (const auto& [id, c] : count) {
    ASSERT_TRUE(shares.contains(id)) << "token " << id << " must not come";
    n += c;
  }
  double chi_square = 0;
  for (const auto& [id, share] : shares) {
    const double expected = share * n;
    const double got = count.contains(id) ? count.at(id) : 0;
    chi_square += (got - expected) * (got - expected) / expected;
  }
  EXPECT_LT(chi_square, 10 + 2.0 * (static_cast<double>(shares.size()) - 1));
}

std::map<int32_t, double> softmax(const std::map<int32_t, double>& logits) {
  double total = 0;
  std::map<int32_t, double> shares;
  for (const auto& [id, l] : logits) total += shares[id] = std::exp(l);
  for (auto& [id, s] : shares) s /= total;
  return shares;
}

TEST(Greedy, TakesTheFirstOfTheLargest) {
  SamplingOptions o = plain();
  o.temperature = 0;
  EXPECT_EQ(pick(o, {1, 3, 2, 3}), 1);
  EXPECT_EQ(pick(o, {kNan, -5, kNan, -4}), 3);
  std::vector<float> many(1000, -1.f);
  many[700] = many[300] = 2;
  EXPECT_EQ(pick(o, many), 300);
}

TEST(Greedy, AgreesWithAPlainSearchOverAllSizes) {
  std::mt19937 random(1);
  SamplingOptions o = plain();
  o.temperature = 0;
  for (int n = 1; n < 800; ++n) {
    std::vector<float> logits(n);
    for (float& l : logits) l = static_cast<float>(static_cast<int>(random() % 50)) - 60;
    const auto first = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(pick(o, logits), first) << n;
  }
}

TEST(Sample, FollowsTheSoftmax) {
  expect_shares(counts(plain(), {0, 1, 2, -1}, 20000), softmax({{0, 0}, {1, 1}, {2, 2}, {3, -1}}));
}

TEST(Sample, TemperatureFlattensAndSharpens) {
  for (const float t : {0.5f, 2.f}) {
    SamplingOptions o = plain();
    o.temperature = t;
    expect_shares(counts(o, {0, 1, 2}, 20000), softmax({{0, 0}, {1, 1 / t}, {2, 2 / t}}));
  }
}

TEST(Sample, LowestTemperaturesDoNotOverflow) {
  SamplingOptions o = plain();
  o.temperature = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(pick(o, {50, 100, 99}), 1);
}

TEST(Sample, TopKKeepsTheFirstKAndOfEqualOnesTheSmallerIds) {
  SamplingOptions o = plain();
  o.top_k = 2;
  expect_shares(counts(o, {1, 3, 0, 2}, 20000), softmax({{1, 3}, {3, 2}}));
  expect_shares(counts(o, {1, 1, 1, 1}, 20000), softmax({{0, 1}, {1, 1}}));
  o.top_k = 1;
  EXPECT_EQ(pick(o, {1, 5, 2, 5}), 1);
}

TEST(Sample, TopKOfAWholeVocabularyIsThatOfASort) {
  std::mt19937 random(2);
  for (const int n : {5, 255, 256, 257, 5000}) {
    std::vector<float> logits(n);
    for (float& l : logits) l = static_cast<float>(random() % 300) / 100;  // many ties
    for (const int k : {1, 2, 40, 300}) {
      if (k >= n) continue;
      std::vector<int32_t> ids(n);
      std::iota(ids.begin(), ids.end(), 0);
      std::stable_sort(ids.begin(), ids.end(), [&](int a, int b) { return logits[a] > logits[b]; });
      const std::set<int32_t> allowed(ids.begin(), ids.begin() + k);
      SamplingOptions o = plain();
      o.top_k = k;
      o.temperature = 100;  // nearly uniform: all of the k come
      const auto count = counts(o, logits, 14 * k);
      for (const auto& [id, c] : count) EXPECT_TRUE(allowed.contains(id)) << n << ' ' << k;
      EXPECT_EQ(count.size(), allowed.size()) << n << ' ' << k;
    }
  }
}

TEST(Sample, TopPKeepsTheFewestThatHoldTheShare) {
  const auto logit = [](double p) { return static_cast<float>(std::log(p)); };
  const std::vector<float> logits{logit(0.1), logit(0.5), logit(0.15), logit(0.25)};
  SamplingOptions o = plain();
  o.top_p = 0.7f;  // 0.5 + 0.25
  expect_shares(counts(o, logits, 20000), {{1, 2. / 3}, {3, 1. / 3}});
  o.top_p = 0.8f;
  expect_shares(counts(o, logits, 20000), {{1, 5. / 9}, {3, 2.5 / 9}, {2, 1.5 / 9}});
  o.top_p = 0;
  expect_shares(counts(o, logits, 100), {{1, 1}});
}

TEST(Sample, TopPIsTheSameBehindTopKAndAlone) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 0.3f);  // flat: hundreds are kept
  std::vector<float> logits(1000);
  for (float& l : logits) l = normal(random);
  SamplingOptions alone = plain();
  alone.top_p = 0.6f;
  SamplingOptions behind = alone;
  behind.top_k = 999;
  int n_equal = 0;
  for (int i = 0; i < 500; ++i) n_equal += pick(alone, logits, i) == pick(behind, logits, i);
  EXPECT_GT(n_equal, 480);  // top_k leaves out one token, which moves a few draws
}

TEST(Sample, MinPKeepsWhatIsNearTheMostLikely) {
  const auto logit = [](double p) { return static_cast<float>(std::log(p)); };
  SamplingOptions o = plain();
  o.min_p = 0.3f;  // of 0.5: at least 0.15
  expect_shares(counts(o, {logit(0.1), logit(0.5), logit(0.16), logit(0.24)}, 20000),
                {{1, 50. / 90}, {2, 16. / 90}, {3, 24. / 90}});
  o.min_p = 1;
  expect_shares(counts(o, {1, 2, 0, 2}, 20000), {{1, 0.5}, {3, 0.5}});
}

TEST(Sample, FiltersComeBeforeTheTemperature) {
  SamplingOptions o = plain();
  o.temperature = 10;
  o.min_p = 0.5f;  // exp(-1) < 0.5 before, exp(-0.1) > 0.5 after it
  expect_shares(counts(o, {1, 2}, 1000), {{1, 1}});
}

TEST(Penalties, AreTakenFromTheLogitsOfTheWindow) {
  SamplingOptions o = plain();
  o.penalty_window = 3;
  o.repeat_penalty = 2;
  o.presence_penalty = 0.5f;
  o.frequency_penalty = 0.25f;
  std::vector<float> logits{4, -1, 3, 2};
  const std::vector<int32_t> history{2, 0, 1, 0};  // 2 is out of the window
  SampleScratch scratch;
  ASSERT_TRUE(sample(o, logits, history, 0, scratch));
  EXPECT_EQ(logits,
            (std::vector<float>{4 / 2.f - 0.5f - 2 * 0.25f, -1 * 2.f - 0.5f - 0.25f, 3, 2}));
  o.penalty_window = -1;
  logits = {4, -1, 3, 2};
  ASSERT_TRUE(sample(o, logits, history, 0, scratch));
  EXPECT_EQ(logits[2], 3 / 2.f - 0.5f - 0.25f);
}

TEST(Penalties, HoldForGreedyToo) {
  SamplingOptions o = plain();
  o.temperature = 0;
  o.penalty_window = 64;
  o.repeat_penalty = 1.5f;
  EXPECT_EQ(pick(o, {3, 2.5f}, 0, {}), 0);
  EXPECT_EQ(pick(o, {3, 2.5f}, 0, {0}), 1);
}

TEST(Sample, DependsOnSeedAndCounterAlone) {
  const std::vector<float> logits(50, 0.f);
  SamplingOptions a = plain(), b = plain();
  b.seed = 1;
  std::vector<int32_t> first, again, other;
  for (int i = 0; i < 40; ++i) {
    first.push_back(pick(a, logits, i));
    other.push_back(pick(b, logits, i));
  }
  for (int i = 40; i-- > 0;) again.insert(again.begin(), pick(a, logits, i));
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Uniform, IsUniformOverCountersAndOverSeeds) {
  constexpr int kDraws = 100000, kBins = 64;
  for (const bool over_seeds : {false, true}) {
    std::vector<int> bins(kBins);
    double sum = 0, product = 0, last = 0.5;
    for (int i = 0; i < kDraws; ++i) {
      const double u = over_seeds ? uniform(i, 0) : uniform(42, i);
      ASSERT_GE(u, 0);
      ASSERT_LT(u, 1);
      ++bins[static_cast<int>(u * kBins)];
      sum += u;
      product += (u - 0.5) * (last - 0.5);
      last = u;
    }
    double chi_square = 0;
    for (const int n : bins) chi_square += std::pow(n - double{kDraws} / kBins, 2);
    EXPECT_LT(chi_square / (double{kDraws} / kBins), 104);  // 99.9th percentile of 63 dof
    EXPECT_NEAR(sum / kDraws, 0.5, 0.004);
    EXPECT_NEAR(product / kDraws, 0, 0.001);  // neighbouring seeds are independent
  }
}

TEST(Sample, RefusesLogitsThatAreNoNumbers) {
  SampleScratch scratch;
  for (const float t : {0.f, 1.f}) {
    for (const float x : {kNan, kInf, -kInf}) {
      for (const int k : {0, 2}) {
        SamplingOptions o = plain();
        o.temperature = t;
        o.top_k = k;
        std::vector<float> logits(4, x);
        const auto id = sample(o, logits, {}, 0, scratch);
        ASSERT_FALSE(id);
        EXPECT_EQ(id.error().code, Code::corrupt);
      }
    }
  }
  std::vector<float> one{kNan, -kInf, 3, kNan};
  EXPECT_EQ(sample(plain(), one, {}, 0, scratch)->id, 2);
}

TEST(Sample, SaysWhenNoTokenMayCome) {
  SampleScratch scratch;
  for (const float t : {0.f, 1.f}) {
    SamplingOptions o = plain();
    o.temperature = t;
    std::vector<float> logits{1, 2, 3};
    const std::vector<uint32_t> none{0};
    auto sampled = sampler_of(o, 3).sample(logits, {}, 0, none, scratch);
    ASSERT_FALSE(sampled);
    EXPECT_EQ(sampled.error().code, Code::invalid_argument);
    o.banned = {0, 1, 2};
    logits = {1, 2, 3};
    sampled = sampler_of(o, 3).sample(logits, {}, 0, {}, scratch);
    ASSERT_FALSE(sampled);
    EXPECT_EQ(sampled.error().code, Code::invalid_argument);
    // Not the user's fault: the allowed logits are NaN.
    o.banned = {0};
    logits = {1, kNan, kNan};
    sampled = sampler_of(o, 3).sample(logits, {}, 0, {}, scratch);
    ASSERT_FALSE(sampled);
    EXPECT_EQ(sampled.error().code, Code::corrupt);
  }
}

TEST(Sample, AMaskOfOneTokenForcesIt) {
  SampleScratch scratch;
  const std::vector<uint32_t> mask{0, 1u << 3, 0, 0};
  for (const float t : {0.f, 1.f}) {
    SamplingOptions o;
    o.temperature = t;
    std::vector<float> logits(100, 0);
    EXPECT_EQ(sampler_of(o, 100).sample(logits, {}, 0, mask, scratch)->id, 35);
  }
}

TEST(Sample, PenaltiesAndDryHoldForGreedyAndFiltersDoNot) {
  SamplingOptions o = plain();
  o.temperature = 0;
  o.dry_multiplier = 1;
  o.dry_window = -1;
  o.top_k = 1;
  o.xtc_probability = 1;  // would take the most likely token away
  EXPECT_EQ(pick(o, {0, 3, 2.9f, 2.8f}), 1);
  EXPECT_EQ(pick(o, {0, 3, 2.9f, 2.8f}, 0, {0, 3, 1, 2, 0, 3}), 2);
}

TEST(Sample, TheNthTokenTakesTheNthNumberWhateverWasForcedBefore) {
  const std::vector<float> logits(50, 0.f);
  SampleScratch scratch;
  const Sampler sampler = sampler_of(plain(), 50);
  const auto at = [&](std::vector<int32_t> history, int64_t n_prompt) {
    std::vector<float> copy = logits;
    return sampler.sample(copy, history, n_prompt, {}, scratch)->id;
  };
  EXPECT_EQ(at({1, 2, 3, 4}, 2), at({9, 8, 7, 6, 5}, 3));
  std::set<int32_t> different;
  for (int64_t n = 0; n < 4; ++n) different.insert(at({1, 2, 3, 4}, n));
  EXPECT_GT(different.size(), 1u);
}

TEST(Sample, ScratchCarriesNothingFromOneCallToTheNext) {
  std::mt19937 random(3);
  SampleScratch shared;
  for (int i = 0; i < 200; ++i) {
    SamplingOptions o;
    o.seed = i;
    o.top_k = i % 3 == 0 ? 0 : 40;
    o.repeat_penalty = 1.3f;
    o.dry_multiplier = i % 2;
    o.mirostat = i % 5 == 4 ? 1 : 0;
    std::vector<float> logits(300 + i);
    for (float& l : logits) l = static_cast<float>(random() % 1000) / 200;
    std::vector<int32_t> history(i);
    for (int32_t& id : history) id = static_cast<int32_t>(random() % 5);
    std::vector<float> copy = logits;
    SampleScratch fresh;
    const Sampler sampler = sampler_of(o, logits.size());
    const int32_t expected = sampler.sample(copy, history, 0, {}, fresh)->id;
    EXPECT_EQ(sampler.sample(logits, history, 0, {}, shared)->id, expected);
  }
}

TEST(SampleVocabulary, ResolvesBreakersOnceAndOnlyForDry) {
  int n_read = 0;
  SampleVocabulary vocabulary(3, [&](int32_t id) {
    ++n_read;
    return std::string(1, "x\ny"[id]);
  });
  SamplingOptions o;
  EXPECT_FALSE(vocabulary.resolve(o).breakers);
  EXPECT_EQ(n_read, 0);
  o.dry_multiplier = 1;
  const auto breakers = vocabulary.resolve(o).breakers;
  EXPECT_EQ(breakers->tokens_after_last(std::vector<int32_t>{0, 1, 2, 0}), 2u);
  EXPECT_EQ(vocabulary.resolve(o).breakers, breakers);
  for (int i = 0; i < 20; ++i) {
    o.dry_breakers = {std::to_string(i), "y"};
    EXPECT_EQ(vocabulary.resolve(o).breakers->tokens_after_last(std::vector<int32_t>{2, 0, 0}), 2u);
  }
  EXPECT_EQ(n_read, 3);
}

}  // namespace
}  // namespace quern
