#include "engine/sample/token_rules.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int kVocabulary = 40;
const std::vector<int32_t> kEnds{3, 35, 1000};  // the last is in no vocabulary

std::vector<int32_t> possible(const SamplingOptions& options, int n_generated,
                              const std::vector<uint32_t>& mask = {}) {
  std::vector<float> logits(kVocabulary, 1);
  TokenRules(options, kEnds, kVocabulary).apply(logits, n_generated, mask);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < kVocabulary; ++id) {
    if (logits[id] > -kInf) ids.push_back(id);
  }
  return ids;
}

TEST(TokenRules, BiasesAreAddedAndInfinityBans) {
  SamplingOptions o;
  o.logit_bias = {{1, 2.5f}, {2, -100}, {4, -kInf}};
  std::vector<float> logits(kVocabulary, 1);
  TokenRules(o, {}, kVocabulary).apply(logits, 0, {});
  EXPECT_EQ(logits[0], 1);
  EXPECT_EQ(logits[1], 3.5f);
  EXPECT_EQ(logits[2], -99);
  EXPECT_EQ(logits[4], -kInf);
}

TEST(TokenRules, AllowedBannedAndMaskMustAgree) {
  SamplingOptions o;
  EXPECT_EQ(possible(o, 0).size(), static_cast<size_t>(kVocabulary));
  o.banned = {0, 39};
  EXPECT_EQ(possible(o, 0).size(), static_cast<size_t>(kVocabulary) - 2);
  o.allowed = {0, 5, 33};
  EXPECT_EQ(possible(o, 0), (std::vector<int32_t>{5, 33}));
  EXPECT_EQ(possible(o, 0, {1u << 5 | 1u << 6, ~0u}), (std::vector<int32_t>{5, 33}));
  EXPECT_EQ(possible(o, 0, {1u << 6, 1u << 1}), (std::vector<int32_t>{33}));
  EXPECT_TRUE(possible(o, 0, {0, 0}).empty());
}

TEST(TokenRules, NoEndBeforeItsTime) {
  SamplingOptions o;
  o.allowed = {3, 7, 35};
  o.min_tokens = 2;
  EXPECT_EQ(possible(o, 0), (std::vector<int32_t>{7}));
  EXPECT_EQ(possible(o, 1), (std::vector<int32_t>{7}));
  EXPECT_EQ(possible(o, 2), (std::vector<int32_t>{3, 7, 35}));
}

TEST(TokenRules, AnEndComesWhereAConstraintIsFulfilled) {
  SamplingOptions o;
  o.min_tokens = 10;
  EXPECT_EQ(possible(o, 0, {1u << 3, 0}), (std::vector<int32_t>{3}));
  EXPECT_EQ(possible(o, 0, {1u << 3 | 1u << 4, 0}), (std::vector<int32_t>{4}));
  o.banned = {4};
  EXPECT_EQ(possible(o, 0, {1u << 3 | 1u << 4, 0}), (std::vector<int32_t>{3}));
}

}  // namespace
}  // namespace quern
