#include "engine/sample/check_options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace quern {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int kVocabulary = 100;

void refused(const std::function<void(SamplingOptions&)>& change, const std::string& what) {
  SamplingOptions o;
  change(o);
  const auto outcome = check_options(o, kVocabulary);
  ASSERT_FALSE(outcome) << what;
  EXPECT_EQ(outcome.error().code, Code::invalid_argument);
  EXPECT_EQ(outcome.error().what.find(what), 0u) << outcome.error().what;
}

TEST(CheckOptions, TakesTheDefaultsAndWhatTurnsEverythingOff) {
  EXPECT_TRUE(check_options({}));
  EXPECT_TRUE(check_options({}, kVocabulary));
  EXPECT_TRUE(
      check_options({.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .penalty_window = 0}));
}

TEST(CheckOptions, NamesTheFieldAndItsRange) {
  refused([](auto& o) { o.temperature = kNan; }, "temperature is nan");
  refused([](auto& o) { o.temperature = kInf; }, "temperature is inf");
  refused([](auto& o) { o.temperature = -0.1f; }, "temperature is -0.1, must be at least 0");
  refused([](auto& o) { o.top_k = -1; }, "top_k is -1, must be at least 0");
  refused([](auto& o) { o.top_p = 1.5f; }, "top_p is 1.5, must be at least 0 and at most 1");
  refused([](auto& o) { o.min_p = -kInf; }, "min_p is -inf");
  refused([](auto& o) { o.repeat_penalty = 0; }, "repeat_penalty is 0");
  refused([](auto& o) { o.presence_penalty = 101; }, "presence_penalty is 101");
  refused([](auto& o) { o.frequency_penalty = kNan; }, "frequency_penalty is nan");
  refused([](auto& o) { o.penalty_window = -2; }, "penalty_window is -2, must be at least -1");
}

// Every number: what is below its range, above it, and no number at all.
TEST(CheckOptions, RefusesEveryNumberOutOfRange) {
  struct Row {
    const char* field;
    void (*set)(SamplingOptions&, float);
    std::vector<float> bad, good;
  };
  const std::vector<Row> rows = {
      {"dynatemp_range", [](auto& o, float x) { o.dynatemp_range = x; }, {-1, 101}, {0, 100}},
      {"dynatemp_exponent", [](auto& o, float x) { o.dynatemp_exponent = x; }, {-1, 101}, {0, 9}},
      {"typical_p", [](auto& o, float x) { o.typical_p = x; }, {-0.1f, 1.1f}, {0, 1}},
      {"top_n_sigma", [](auto& o, float x) { o.top_n_sigma = x; }, {-2, 101}, {-1, 0, 100}},
      {"xtc_probability", [](auto& o, float x) { o.xtc_probability = x; }, {-1, 2}, {0, 1}},
      {"xtc_threshold", [](auto& o, float x) { o.xtc_threshold = x; }, {-1, 2}, {0, 1}},
      {"dry_multiplier", [](auto& o, float x) { o.dry_multiplier = x; }, {-1, 101}, {0, 100}},
      {"dry_base", [](auto& o, float x) { o.dry_base = x; }, {0, 0.9f, 101}, {1, 100}},
      {"mirostat_tau", [](auto& o, float x) { o.mirostat_tau = x; }, {-1, 101}, {0, 100}},
      {"mirostat_eta", [](auto& o, float x) { o.mirostat_eta = x; }, {-1, 2}, {0, 1}},
      {"adaptive_target", [](auto& o, float x) { o.adaptive_target = x; }, {-2, 2}, {-1, 0, 1}},
      {"adaptive_decay", [](auto& o, float x) { o.adaptive_decay = x; }, {-1, 1}, {0, 0.99f}},
  };
  for (const Row& row : rows) {
    std::vector<float> bad = row.bad;
    bad.insert(bad.end(), {kNan, kInf, -kInf, std::numeric_limits<float>::max()});
    for (const float x : bad)
      refused([&](auto& o) { row.set(o, x); }, std::string(row.field) + " is ");
    for (const float x : row.good) {
      SamplingOptions o;
      row.set(o, x);
      EXPECT_TRUE(check_options(o)) << row.field << ' ' << x;
    }
  }
}

TEST(CheckOptions, RefusesEveryWholeNumberOutOfRange) {
  const int most = std::numeric_limits<int>::max(), least = std::numeric_limits<int>::min();
  refused([](auto& o) { o.min_keep = -1; }, "min_keep is -1");
  refused([](auto& o) { o.dry_allowed_length = -1; }, "dry_allowed_length is -1");
  refused([](auto& o) { o.dry_window = -2; }, "dry_window is -2");
  refused([](auto& o) { o.min_tokens = -1; }, "min_tokens is -1");
  refused([&](auto& o) { o.min_tokens = least; }, "min_tokens is ");
  refused([](auto& o) { o.mirostat = 3; }, "mirostat is 3, must be at least 0 and at most 2");
  refused([](auto& o) { o.mirostat = -1; }, "mirostat is -1");
  refused([](auto& o) { o.n_probs = 129; }, "n_probs is 129, must be at least -1 and at most 128");
  refused([&](auto& o) { o.n_probs = most; }, "n_probs is ");
}

TEST(CheckOptions, ListsAreBoundedAndOfTheVocabulary) {
  refused([](auto& o) { o.logit_bias = {{100, 1}}; }, "logit_bias has token 100, the vocabulary");
  refused([](auto& o) { o.logit_bias = {{-1, 1}}; }, "logit_bias has token -1");
  refused([](auto& o) { o.logit_bias = {{1, 1}, {2, 0}, {1, 3}}; }, "logit_bias has token 1 twice");
  refused([](auto& o) { o.logit_bias = {{1, kNan}}; }, "logit_bias of token 1 is nan");
  refused([](auto& o) { o.logit_bias = {{1, kInf}}; }, "logit_bias of token 1 is inf");
  refused([](auto& o) { o.logit_bias = {{1, 2e9f}}; }, "logit_bias of token 1 is 2e+09");
  refused([](auto& o) { o.logit_bias.resize(16385); }, "logit_bias has 16385");
  refused([](auto& o) { o.banned = {INT32_MAX}; }, "banned has token 2147483647");
  refused([](auto& o) { o.banned.resize(16385); }, "banned has 16385 entries");
  refused([](auto& o) { o.allowed = {3, 3}; }, "allowed has token 3 twice");
  refused([](auto& o) { o.allowed.resize(16385); }, "allowed has 16385 entries");
  SamplingOptions o;
  o.logit_bias = {{0, -kInf}, {99, -1e9f}};
  o.banned = {5, 4};
  o.allowed = {1, 2};
  EXPECT_TRUE(check_options(o, kVocabulary));
}

TEST(CheckOptions, BreakersHaveBytesAndBounds) {
  refused([](auto& o) { o.dry_breakers = {""}; }, "dry_breakers has one of 0 bytes");
  refused([](auto& o) { o.dry_breakers = {std::string(65, 'x')}; }, "dry_breakers has one of 65");
  refused([](auto& o) { o.dry_breakers.resize(33, "x"); }, "dry_breakers has 33 entries, at most");
}

TEST(CheckOptions, SamplersAreKnownAndComeOnce) {
  refused([](auto& o) { o.samplers = {"top_k", "topp"}; }, "samplers has 'topp', which is none");
  refused([](auto& o) { o.samplers = {"typ_p", "typical_p"}; }, "samplers has typ_p twice");
  SamplingOptions o;
  o.samplers = {"temperature", "min_p", "penalties"};
  EXPECT_TRUE(check_options(o));
}

TEST(CheckOptions, MirostatAndAdaptiveTargetExcludeEachOther) {
  refused(
      [](auto& o) {
        o.mirostat = 2;
        o.adaptive_target = 0.5f;
      },
      "mirostat and adaptive_target");
}

}  // namespace
}  // namespace quern
