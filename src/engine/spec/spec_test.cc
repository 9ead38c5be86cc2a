#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "engine/spec/ngram_lookup.h"
#include "engine/spec/payoff.h"

namespace quern {
namespace {

std::vector<int32_t> draft(const NgramLookup& lookup, const std::vector<int32_t>& tokens, int most,
                           const char* salt = "") {
  std::vector<int32_t> drafts;
  lookup.draft(salt, tokens, most, drafts);
  return drafts;
}

TEST(NgramLookup, GoesOnAsTheTextDidBefore) {
  NgramLookup lookup;
  const std::vector<int32_t> text = {1, 2, 3, 4, 5, 6, 7, 8};
  lookup.learn("", text, 0);
  EXPECT_EQ(draft(lookup, {9, 2, 3, 4}, 3), (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(draft(lookup, {9, 2, 3, 4}, 99), (std::vector<int32_t>{5, 6, 7, 8}));
  EXPECT_TRUE(draft(lookup, {9, 9, 3, 4}, 3).empty());
  EXPECT_TRUE(draft(lookup, {3, 4}, 3).empty());
}

TEST(NgramLookup, TheLatestCounts) {
  NgramLookup lookup;
  lookup.learn("", std::vector<int32_t>{1, 2, 3, 4, 1, 2, 3, 5}, 0);
  EXPECT_EQ(draft(lookup, {1, 2, 3}, 1), (std::vector<int32_t>{5}));
}

TEST(NgramLookup, LearnsPieceByPieceWhatItLearnsAtOnce) {
  std::mt19937 random(1);
  std::vector<int32_t> text(500);
  for (int32_t& token : text) token = static_cast<int32_t>(random() % 4);
  NgramLookup whole, pieces;
  whole.learn("", text, 0);
  for (size_t done = 0, n; done < text.size(); done = n) {
    n = std::min<size_t>(text.size(), done + random() % 5);
    pieces.learn("", std::span(text).first(n), done);
  }
  for (size_t n = 3; n < text.size(); ++n) {
    const std::vector<int32_t> start(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_EQ(draft(whole, start, 4), draft(pieces, start, 4));
  }
}

TEST(NgramLookup, SaltsDoNotSeeEachOther) {
  NgramLookup lookup;
  lookup.learn("a", std::vector<int32_t>{1, 2, 3, 4}, 0);
  EXPECT_TRUE(draft(lookup, {1, 2, 3}, 1, "b").empty());
  EXPECT_EQ(draft(lookup, {1, 2, 3}, 1, "a").size(), 1u);
}

TEST(Payoff, ChecksManyWhereTheyComeTrueAndNoneWhereTheyDoNot) {
  Payoff good(16), bad(16);
  for (int i = 0; i < 50; ++i) good.note(8, 8), bad.note(8, 0);
  EXPECT_EQ(good.offer(0.1, 16).n, 16);
  EXPECT_EQ(good.offer(0.1, 3).n, 3);
  EXPECT_EQ(bad.offer(0.1, 16).n, 0);
}

TEST(Payoff, RowsThatCostAStepEachPayNever) {
  Payoff payoff(16);
  for (int i = 0; i < 50; ++i) payoff.note(8, 8);
  EXPECT_EQ(payoff.offer(1.0, 16).n, 0);
}

TEST(Payoff, TriesAgainNowAndThenAndMoreRarelyWhereThatFails) {
  Payoff payoff(16);
  const auto tries = [&](int n_steps, int n_true) {
    int n = 0;
    for (int i = 0; i < n_steps; ++i) {
      if (payoff.offer(0.5, 16).n == 0) continue;
      payoff.note(2, n_true);
      ++n;
    }
    return n;
  };
  for (int i = 0; i < 50; ++i) payoff.note(8, 0);
  EXPECT_EQ(tries(32 + 64 + 128 + 256, 0), 4);
  EXPECT_EQ(tries(256 * 4, 0), 4);
  EXPECT_EQ(tries(256, 2), 1);
  EXPECT_EQ(tries(32, 0), 1);  // the text had changed
  EXPECT_EQ(payoff.offer(0.1, 0).n, 0);
}

TEST(Payoff, WantsDraftsBeforeItsNextTrial) {
  Payoff payoff(16);
  EXPECT_TRUE(payoff.wants(0.1, 16));  // they pay
  for (int i = 0; i < 50; ++i) payoff.note(8, 0);
  for (int i = 1; i < 31; ++i) EXPECT_FALSE(payoff.wants(0.1, 16)) << i;
  EXPECT_TRUE(payoff.wants(0.1, 16));
  EXPECT_TRUE(payoff.wants(0.1, 16));  // until they are there
  EXPECT_TRUE(payoff.offer(0.1, 16).trial());
  EXPECT_FALSE(payoff.wants(0.1, 16));
}

TEST(Payoff, OffersOfTwoSourcesAreCompared) {
  Payoff cheap(16), dear(16), wrong(16);
  for (int i = 0; i < 50; ++i) cheap.note(8, 8), dear.note(8, 8), wrong.note(8, 0);
  EXPECT_GT(cheap.offer(0.1, 8).rate, dear.offer(0.3, 8).rate);
  EXPECT_GT(dear.offer(0.3, 8).rate, cheap.offer(0.1, 1).rate);  // one draft token against eight
  Payoff::Offer offer;
  EXPECT_EQ(offer.rate, 1);  // no drafts: a token in the time of a step
  do offer = wrong.offer(0.1, 8);
  while (offer.n == 0);
  EXPECT_TRUE(offer.trial());
  EXPECT_GT(offer.rate, cheap.offer(0.1, 8).rate);
}

}  // namespace
}  // namespace quern
