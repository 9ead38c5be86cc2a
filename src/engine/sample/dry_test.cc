#include "engine/sample/dry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace quern {
namespace {

using Tokens = std::vector<int32_t>;

// By comparing every pair.
Tokens plain_lengths(const Tokens& text) {
  Tokens lengths;
  const size_t n = text.size();
  for (size_t i = 0; i < n; ++i) {
    size_t k = 0;
    while (i + k < n && text[n - 1 - k] == text[n - 1 - i - k]) ++k;
    lengths.push_back(static_cast<int32_t>(k));
  }
  return lengths;
}

TEST(SuffixLengths, AreThoseOfComparingEveryPair) {
  std::mt19937 random(1);
  DryScratch scratch;
  for (int trial = 0; trial < 300; ++trial) {
    Tokens text(random() % 60);
    for (int32_t& t : text) t = static_cast<int32_t>(random() % 3);
    suffix_lengths(text, scratch);
    EXPECT_EQ(scratch.lengths, plain_lengths(text)) << trial;
  }
}

TEST(SuffixLengths, TakeLinearWorkOnTheWorstTexts) {
  constexpr int kTokens = 100000;
  DryScratch scratch;
  for (const int period : {1, 2, 7, 1000, 49999}) {
    Tokens text(kTokens);
    for (int i = 0; i < kTokens; ++i) text[i] = i % period;
    EXPECT_LE(suffix_lengths(text, scratch), 2 * kTokens) << period;
    EXPECT_EQ(scratch.lengths[period], kTokens - period);
  }
  Tokens fibonacci{0}, before{1};  // the text with the most repetitions in repetitions
  while (fibonacci.size() < kTokens) {
    Tokens next = fibonacci;
    next.insert(next.end(), before.begin(), before.end());
    before = std::exchange(fibonacci, next);
  }
  EXPECT_LE(suffix_lengths(fibonacci, scratch), 2 * std::ssize(fibonacci));
}

std::map<int32_t, int32_t> repetitions(const Tokens& text, int shortest, size_t longest) {
  DryScratch scratch;
  TokenCounts found;
  found.reset(100);
  find_repetitions(text, shortest, longest, scratch, found);
  std::map<int32_t, int32_t> by_token;
  for (const int32_t id : found.touched()) by_token[id] = found[id] - 1;
  return by_token;
}

TEST(FindRepetitions, NamesWhatWouldGoOn) {
  // 1 2 3 was followed by 4; 2 3 alone by 5; 3 alone by 6.
  const Tokens text{1, 2, 3, 4, 7, 2, 3, 5, 3, 6, 1, 2, 3};
  using Found = std::map<int32_t, int32_t>;
  EXPECT_EQ(repetitions(text, 1, 99), (Found{{4, 3}, {5, 2}, {6, 1}}));
  EXPECT_EQ(repetitions(text, 2, 99), (Found{{4, 3}, {5, 2}}));
  EXPECT_EQ(repetitions(text, 1, 2), (Found{{4, 2}, {5, 2}, {6, 1}}));
  EXPECT_EQ(repetitions(text, 4, 99), Found{});
  EXPECT_EQ(repetitions({}, 1, 99), Found{});
  EXPECT_EQ(repetitions({5, 5, 5, 5}, 2, 99), (Found{{5, 3}}));
}

TEST(FindRepetitions, AreThoseOfComparingEveryPair) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 200; ++trial) {
    Tokens text(1 + random() % 50);
    for (int32_t& t : text) t = static_cast<int32_t>(random() % 4);
    const int shortest = static_cast<int>(random() % 4);
    const size_t longest = random() % 8;
    const Tokens lengths = plain_lengths(text);
    std::map<int32_t, int32_t> expected;
    for (size_t i = 1; i < text.size(); ++i) {
      const int32_t length = std::min<int32_t>(lengths[i], static_cast<int32_t>(longest));
      if (length < shortest) continue;
      auto [at, added] = expected.try_emplace(text[text.size() - i], length);
      at->second = std::max(at->second, length);
    }
    EXPECT_EQ(repetitions(text, shortest, longest), expected) << trial;
  }
}

// Tokens by their number: 0 "a", 1 "b:", 2 "\n\n", 3 "<|", 4 "end|>x", 5 "e", 6 "<", 7 "|end", 8
// "|>", 9 "".
DryBreakers breakers(const std::vector<std::string>& texts) {
  const std::vector<std::string> tokens{"a", "b:", "\n\n", "<|", "end|>x",
                                        "e", "<",  "|end", "|>", ""};
  return {texts, std::make_shared<const TokenBytes>(
                     10, [&](int32_t id) { return tokens[static_cast<size_t>(id)]; })};
}

TEST(DryBreakers, AreFoundInsideTokens) {
  const DryBreakers b = breakers({":", "\n"});
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 5, 0}), 3u);
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 1, 0}), 1u);
  EXPECT_EQ(b.tokens_after_last(Tokens{1, 0, 2, 0, 0}), 2u);
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 1}), 0u);
  EXPECT_EQ(b.tokens_after_last(Tokens{}), 0u);
}

TEST(DryBreakers, AreFoundAcrossTokensHoweverTheyAreSplit) {
  const DryBreakers b = breakers({"<|end|>"});
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 3, 4, 0}), 1u);        // <| end|>x a
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 6, 7, 8, 0, 0}), 2u);  // < |end |> a a
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 6, 9, 7, 9, 8, 0}), 1u);
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 3, 5, 0}), 4u);  // <| e a: none
  EXPECT_EQ(b.tokens_after_last(Tokens{0, 6, 7}), 3u);     // not yet
}

TEST(DryBreakers, NoneMeansAllTokens) {
  EXPECT_EQ(DryBreakers().tokens_after_last(Tokens{1, 2, 3}), 3u);
}

}  // namespace
}  // namespace quern
