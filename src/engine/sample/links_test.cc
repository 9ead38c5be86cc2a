// Every link against a plain f64 reference, by the whole distribution that is left.
#include "engine/sample/links.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/sample/random.h"
#include "engine/sample/sampler.h"

namespace quern {
namespace {

constexpr int kVocabulary = 120;  // all of it fits n_probs

using Distribution = std::map<int32_t, double>;             // token -> probability
using Reference = std::vector<std::pair<int32_t, double>>;  // token, logit; likeliest first

SamplingOptions plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .penalty_window = 0};
}

std::vector<float> random_logits(std::mt19937& random, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(kVocabulary);
  for (float& l : logits) l = normal(random);
  return logits;
}

// What is drawn from.
Distribution left(SamplingOptions options, std::vector<float> logits,
                  const std::vector<int32_t>& history = {}) {
  options.n_probs = 128;
  options.post_sampling_probs = true;
  SampleScratch scratch;
  const Sampler sampler(options, {}, {}, kVocabulary);
  const auto sampled = sampler.sample(logits, history, std::ssize(history), {}, scratch);
  EXPECT_TRUE(sampled);
  Distribution d;
  for (const TokenProb& p : sampled->top) d[p.id] = std::exp(p.logprob);
  EXPECT_TRUE(d.contains(sampled->id));
  EXPECT_NEAR(std::exp(sampled->logprob), d[sampled->id], 1e-6);
  return d;
}

Reference sorted(const std::vector<float>& logits) {
  Reference r;
  for (size_t i = 0; i < logits.size(); ++i) r.emplace_back(static_cast<int32_t>(i), logits[i]);
  std::stable_sort(r.begin(), r.end(), [](auto& a, auto& b) { return a.second > b.second; });
  return r;
}

std::vector<double> probabilities(const Reference& r) {
  double total = 0, top = -1e300;
  std::vector<double> p;
  for (const auto& [id, logit] : r) top = std::max(top, logit);
  for (const auto& [id, logit] : r) total += std::exp(logit - top);
  for (const auto& [id, logit] : r) p.push_back(std::exp(logit - top) / total);
  return p;
}

void expect_same(const Distribution& got, const Reference& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  const std::vector<double> p = probabilities(expected);
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(got.contains(expected[i].first)) << what;
    EXPECT_NEAR(got.at(expected[i].first), p[i], 2e-6) << what;
  }
}

// Runs `change` with several values over several vocabularies, alone (from all tokens) and behind a
// filter (from candidates).
void compare(const std::vector<double>& values,
             const std::function<void(SamplingOptions&, double)>& change,
             const std::function<Reference(Reference, double)>& reference) {
  std::mt19937 random(5);
  for (const float spread : {0.3f, 1.5f, 5.f}) {
    for (const double value : values) {
      for (const int keep : {0, 70}) {
        const std::vector<float> logits = random_logits(random, spread);
        SamplingOptions o = plain();
        o.top_k = keep;
        o.samplers = {"penalties", "dry",   "top_k", "top_n_sigma", "typ_p",
                      "top_p",     "min_p", "xtc",   "temperature"};
        change(o, value);
        Reference r = sorted(logits);
        if (keep) r.resize(keep);
        expect_same(left(o, logits), reference(r, value),
                    std::to_string(value) + ' ' + std::to_string(keep));
      }
    }
  }
}

// The fewest of `r`, in its order, with a probability of at least p.
Reference first_share(const Reference& r, const std::vector<double>& probability, double p) {
  double sum = 0;
  Reference kept;
  for (size_t i = 0; i < r.size() && (kept.empty() || sum < p); ++i) {
    kept.push_back(r[i]);
    sum += probability[i];
  }
  return kept;
}

TEST(Links, TopK) {
  std::mt19937 random(8);
  for (const int k : {1, 5, 60, 119, 120, 5000}) {
    for (const bool behind : {false, true}) {  // a filter that leaves all but one
      std::vector<float> logits = random_logits(random, 2);
      logits[7] = -70;
      SamplingOptions o = plain();
      o.top_k = k;
      o.min_p = behind ? 1e-20f : 0;
      o.samplers = {"min_p", "top_k"};
      Reference r = sorted(logits);
      r.resize(std::min<size_t>(k, behind ? kVocabulary - 1 : kVocabulary));
      expect_same(left(o, logits), r, std::to_string(k));
    }
  }
}

TEST(Links, TopP) {
  compare(
      {0, 0.1, 0.5, 0.9, 0.999}, [](auto& o, double p) { o.top_p = static_cast<float>(p); },
      [](const Reference& r, double p) {
        return first_share(r, probabilities(r), static_cast<float>(p));
      });
}

TEST(Links, MinP) {
  compare(
      {0.01, 0.3, 1}, [](auto& o, double p) { o.min_p = static_cast<float>(p); },
      [](Reference r, double p) {
        const double least = r[0].second + std::log(static_cast<float>(p));
        std::erase_if(r, [&](auto& x) { return x.second < least - 1e-6; });
        return r;
      });
}

TEST(Links, TopNSigma) {
  compare(
      {0.5, 1, 2.5, 20}, [](auto& o, double n) { o.top_n_sigma = static_cast<float>(n); },
      [](Reference r, double n) {
        double mean = 0, variance = 0;
        for (auto& x : r) mean += x.second / static_cast<double>(r.size());
        for (auto& x : r) variance += std::pow(x.second - mean, 2) / static_cast<double>(r.size());
        const double least = r[0].second - n * std::sqrt(variance);
        std::erase_if(r, [&](auto& x) { return x.second < least; });
        return r;
      });
}

TEST(Links, TypicalP) {
  compare(
      {0.05, 0.4, 0.9, 0.99}, [](auto& o, double p) { o.typical_p = static_cast<float>(p); },
      [](Reference r, double p) {
        const std::vector<double> probability = probabilities(r);
        double entropy = 0;
        for (const double x : probability) entropy -= x * std::log(x);
        std::vector<size_t> order(r.size());
        for (size_t i = 0; i < r.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
          return std::abs(-std::log(probability[a]) - entropy) <
                 std::abs(-std::log(probability[b]) - entropy);
        });
        Reference by_surprise;
        std::vector<double> of_them;
        for (const size_t i : order) {
          by_surprise.push_back(r[i]);
          of_them.push_back(probability[i]);
        }
        return first_share(by_surprise, of_them, static_cast<float>(p));
      });
}

TEST(Links, XtcLeavesTheLeastLikelyOfTheLikely) {
  compare(
      {0, 0.02, 0.1, 0.3, 0.5},
      [](auto& o, double t) {
        o.xtc_probability = 1;
        o.xtc_threshold = static_cast<float>(t);
      },
      [](Reference r, double t) {
        const std::vector<double> p = probabilities(r);
        size_t n = 0;
        while (n < p.size() && p[n] >= static_cast<float>(t)) ++n;
        if (n >= 2) r.erase(r.begin(), r.begin() + static_cast<std::ptrdiff_t>(n) - 1);
        return r;
      });
}

TEST(Links, XtcHappensAsOftenAsItIsAsked) {
  SamplingOptions o = plain();
  o.xtc_probability = 0.3f;
  o.samplers = {"xtc"};
  std::vector<float> logits(kVocabulary, -50);
  logits[1] = 1, logits[2] = 0.5f;
  int n = 0;
  constexpr int kTimes = 4000;
  for (int i = 0; i < kTimes; ++i) {
    o.seed = i;
    n += !left(o, logits).contains(1);
  }
  EXPECT_NEAR(n / double{kTimes}, 0.3, 0.03);  // four standard deviations
  o.xtc_threshold = 0.51f;
  o.xtc_probability = 1;
  EXPECT_TRUE(left(o, logits).contains(1));
}

TEST(Links, Temperature) {
  compare(
      {0.1, 0.7, 3}, [](auto& o, double t) { o.temperature = static_cast<float>(t); },
      [](Reference r, double t) {
        for (auto& x : r) x.second /= t;
        return r;
      });
}

TEST(Links, DynamicTemperature) {
  for (const double exponent : {1.0, 2.5}) {
    compare(
        {0.3, 0.9, 2},
        [&](auto& o, double range) {
          o.temperature = 0.9f;
          o.dynatemp_range = static_cast<float>(range);
          o.dynatemp_exponent = static_cast<float>(exponent);
        },
        [&](Reference r, double range) {
          double entropy = 0;
          for (const double p : probabilities(r)) entropy -= p * std::log(p);
          const double lowest = std::max(0.0, 0.9 - range), highest = 0.9 + range;
          const double share = entropy / std::log(static_cast<double>(r.size()));
          const double t = lowest + (highest - lowest) * std::pow(share, exponent);
          for (auto& x : r) x.second /= t;
          return r;
        });
  }
}

TEST(Links, MinKeepHoldsForEveryFilter) {
  std::mt19937 random(6);
  const std::vector<float> logits = random_logits(random, 5);
  const std::function<void(SamplingOptions&)> filters[] = {
      [](auto& o) { o.top_p = 0; }, [](auto& o) { o.min_p = 1; }, [](auto& o) { o.typical_p = 0; },
      [](auto& o) { o.top_n_sigma = 0.01f; }};
  for (const auto& filter : filters) {
    for (const int n : {1, 2, 30, 500}) {
      SamplingOptions o = plain();
      filter(o);
      o.min_keep = n;
      EXPECT_EQ(left(o, logits).size(), static_cast<size_t>(std::min(n, kVocabulary)));
    }
  }
  SamplingOptions o = plain();
  o.xtc_probability = 1;
  o.xtc_threshold = 0;  // would leave one
  o.min_keep = 2;
  EXPECT_EQ(left(o, logits).size(), static_cast<size_t>(kVocabulary));
}

// Penalties and DRY give the same whether they come before or after the filters that gather.
TEST(Links, PenaltiesAndDryWorkOnCandidatesToo) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 20; ++trial) {
    const std::vector<float> logits = random_logits(random, 2);
    std::vector<int32_t> history(60);
    for (int32_t& id : history) id = static_cast<int32_t>(random() % 6);
    SamplingOptions o = plain();
    o.repeat_penalty = 1.3f;
    o.presence_penalty = 0.5f;
    o.penalty_window = 20;
    o.dry_multiplier = 0.8f;
    o.dry_window = -1;
    o.top_k = kVocabulary - 1;
    std::vector<float> all = logits;
    all[kVocabulary - 1] = -60;  // what top_k leaves out
    o.samplers = {"dry", "penalties", "top_k"};
    const Distribution first = left(o, all, history);
    o.samplers = {"top_k", "dry", "penalties"};
    const Distribution last = left(o, all, history);
    ASSERT_EQ(first.size(), last.size());
    for (const auto& [id, p] : first) EXPECT_NEAR(p, last.at(id), 1e-6);
  }
}

TEST(Links, DryTakesByTheLengthOfTheRepetition) {
  SamplingOptions o = plain();
  o.dry_multiplier = 0.5f;
  o.dry_base = 2;
  o.dry_allowed_length = 2;
  o.dry_window = -1;
  const std::vector<float> logits(kVocabulary, 0);
  // 1 2 3 was followed by 4, 2 3 by 5, 3 by 6
  const std::vector<int32_t> history{1, 2, 3, 4, 7, 2, 3, 5, 3, 6, 1, 2, 3};
  const Distribution d = left(o, logits, history);
  EXPECT_NEAR(std::log(d.at(0) / d.at(4)), 0.5 * 2, 1e-5);
  EXPECT_NEAR(std::log(d.at(0) / d.at(5)), 0.5, 1e-5);
  EXPECT_NEAR(d.at(0), d.at(6), 1e-9);
  o.dry_window = 6;  // sees 5 3 6 1 2 3 only
  EXPECT_NEAR(left(o, logits, history).at(4), 1.0 / kVocabulary, 1e-6);
}

TEST(Links, DryStaysFiniteWhateverTheLength) {
  SamplingOptions o = plain();
  o.dry_multiplier = 100;
  o.dry_base = 100;
  o.dry_window = -1;
  const std::vector<float> logits(kVocabulary, 0);
  const std::vector<int32_t> history(5000, 3);
  const Distribution d = left(o, logits, history);
  EXPECT_EQ(d.at(3), 0);
  EXPECT_NEAR(d.at(4), 1.0 / (kVocabulary - 1), 1e-6);
}

TEST(Links, TheOrderIsTheUsers) {
  std::vector<float> logits(kVocabulary, -40);
  logits[1] = 2, logits[2] = 1;
  SamplingOptions o = plain();
  o.temperature = 10;
  o.min_p = 0.5f;  // exp(-1) < 0.5 before the temperature, exp(-0.1) > 0.5 after it
  EXPECT_EQ(left(o, logits).size(), 1u);
  o.samplers = {"temperature", "min_p"};
  EXPECT_EQ(left(o, logits).size(), 2u);
  o.samplers = {"temp"};  // what is not in the list is off
  EXPECT_EQ(left(o, logits).size(), static_cast<size_t>(kVocabulary));
}

TEST(Links, TheDefaultOrderIsLlamaCpps) {
  std::vector<std::string> names;
  for (const Link& link : links()) names.emplace_back(link.name);
  EXPECT_EQ(names, (std::vector<std::string>{"penalties", "dry", "top_n_sigma", "top_k", "typ_p",
                                             "top_p", "min_p", "xtc", "temperature"}));
}

TEST(Links, OnlyWhatDoesSomethingIsInTheChain) {
  EXPECT_TRUE(chain(plain()).empty());
  EXPECT_EQ(chain({}).size(), 4u);  // top_k, top_p, min_p, temperature
}

}  // namespace
}  // namespace quern
