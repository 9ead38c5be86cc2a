#include "engine/spec/draft_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>

#include "engine/fake_executor.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

Ids some_tokens(int n, int seed = 1) {
  std::mt19937 random(seed);
  Ids tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % 61);
  return tokens;
}

// The model's greedy tokens, read in one pass in a separate cache.
Ids greedy(Ids tokens, int n) {
  FakeExecutor executor({.max_rows = 4096, .page_tokens = 4096, .n_pages = 1});
  const int32_t page = 0;
  Ids said;
  for (; n > 0; --n) {
    const auto size = static_cast<int>(tokens.size());
    const Chunk chunk = {0, size, 0, std::span(&page, 1), 1};
    const int32_t last = size - 1;
    std::vector<float> logits(61);
    EXPECT_TRUE(executor.forward({tokens, std::span(&chunk, 1), std::span(&last, 1)}, logits));
    said.push_back(
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    tokens.push_back(said.back());
  }
  return said;
}

Ids guess(DraftModel& model, int64_t id, const Ids& tokens, int most, const char* salt = "") {
  Ids drafts;
  const DraftModel::Wish wish = {{id, salt, tokens}, most, &drafts};
  model.guess({&wish, 1});
  return drafts;
}

Ids with(Ids tokens, const Ids& more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

TEST(DraftModel, GoesOnWithSeveralTextsInOnePassEach) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 0);
  const Ids texts[] = {some_tokens(9, 1), some_tokens(20, 2), some_tokens(1, 3)};
  const int most[] = {2, 5, 3};
  Ids drafts[3];
  std::vector<DraftModel::Wish> wishes;
  for (int i = 0; i < 3; ++i) wishes.push_back({{i, "", texts[i]}, most[i], &drafts[i]});
  EXPECT_EQ(model.guess(wishes), 10);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(drafts[i], greedy(texts[i], most[i])) << i;
  EXPECT_EQ(executor.n_steps, 5);
  EXPECT_EQ(executor.n_rows, 30 + 2 + 2 + 1 + 1 + 1);  // a text's last draft token is not read
}

TEST(DraftModel, ReadsOnBehindWhatCameTrue) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 0);
  Ids text = some_tokens(9);
  const Ids drafts = guess(model, 0, text, 4);
  for (const int n_true : {0, 2, 3, 4}) {
    DraftModel other(executor, 61, 0);
    EXPECT_EQ(guess(other, 0, text, 4), drafts);
    Ids next = with(text, {drafts.begin(), drafts.begin() + n_true});
    next.push_back(n_true < 4 ? (drafts[n_true] + 1) % 61 : 7);
    const int64_t before = executor.n_rows;
    EXPECT_EQ(guess(other, 0, next, 3), greedy(next, 3));
    EXPECT_EQ(executor.n_rows - before, (n_true == 4 ? 2 : 1) + 2) << n_true;
  }
  // No draft token was accepted and no token was added: the last row is computed again.
  EXPECT_EQ(guess(model, 0, text, 4), drafts);
}

TEST(DraftModel, ReadsALongTextInPieces) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 0);
  const Ids text = some_tokens(200);
  const DraftModel::Text whole = {0, "", text};
  EXPECT_EQ(model.n_unread(whole), 200);
  EXPECT_TRUE(guess(model, 0, text, 3).empty());  // too much to read at once
  EXPECT_EQ(executor.n_steps, 0);
  for (int left = 200; left > 1;) {
    EXPECT_EQ(model.read({&whole, 1}, 30), std::min(30, left - 1));
    left -= std::min(30, left - 1);
    EXPECT_EQ(model.n_unread(whole), left);
  }
  EXPECT_EQ(model.read({&whole, 1}, 30), 0);
  EXPECT_EQ(executor.n_rows, 199);
  EXPECT_EQ(guess(model, 0, text, 3), greedy(text, 3));
  EXPECT_EQ(executor.n_rows, 202);
}

TEST(DraftModel, APassIsSharedByThoseWhoRead) {
  FakeExecutor executor({.max_rows = 50});
  DraftModel model(executor, 61, 0);
  const Ids a = some_tokens(30, 1), b = some_tokens(90, 2);
  const DraftModel::Text texts[] = {{0, "", a}, {1, "", b}};
  EXPECT_EQ(model.read(texts, 1000), 50);
  EXPECT_EQ(executor.n_steps, 1);
  EXPECT_EQ(model.n_unread(texts[0]), 1);
  EXPECT_EQ(model.n_unread(texts[1]), 90 - 21);
}

TEST(DraftModel, TooFewPagesGiveNoDraftsUntilSomeAreFree) {
  FakeExecutor executor({.max_rows = 64, .page_tokens = 4, .n_pages = 6});
  DraftModel model(executor, 61, 0);
  const Ids a = some_tokens(16, 1), b = some_tokens(12, 2);
  EXPECT_EQ(guess(model, 0, a, 3), greedy(a, 3));
  EXPECT_TRUE(guess(model, 1, b, 3).empty());
  EXPECT_EQ(model.n_unread({1, "", b}), -1);
  EXPECT_EQ(guess(model, 0, a, 3), greedy(a, 3));  // who has pages goes on
  model.forget({0, "", a});
  EXPECT_EQ(guess(model, 1, b, 3), greedy(b, 3));
  model.forget({1, "", b});
  EXPECT_EQ(model.n_free_pages(), 6);
}

TEST(DraftModel, DraftsUpToItsContext) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 10);
  const Ids text = some_tokens(9);
  EXPECT_EQ(guess(model, 0, text, 5), greedy(text, 2));
  EXPECT_TRUE(guess(model, 1, some_tokens(11), 5).empty());
  EXPECT_EQ(model.n_unread({2, "", some_tokens(11)}), -1);
}

TEST(DraftModel, AFailedPassGivesUpItsTextsAndNoOthers) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 0);
  const Ids a = some_tokens(9, 1), b = some_tokens(9, 2);
  EXPECT_EQ(guess(model, 0, a, 2), greedy(a, 2));
  executor.fail_next = Error{Code::unavailable, "no device", "", ""};
  EXPECT_TRUE(guess(model, 1, b, 2).empty());
  EXPECT_EQ(model.n_failed(), 1);
  EXPECT_EQ(model.n_unread({1, "", b}), -1);
  EXPECT_TRUE(guess(model, 1, b, 2).empty());
  EXPECT_EQ(guess(model, 0, a, 2), greedy(a, 2));
  model.forget({1, "", b});
  EXPECT_EQ(guess(model, 2, b, 2), greedy(b, 2));
}

TEST(DraftModel, UnknownTokensAreNeitherDraftedNorRead) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 40, 0);
  for (int seed = 0; seed < 30; ++seed)
    for (const int32_t token : guess(model, seed, some_tokens(9, seed), 3)) EXPECT_LT(token, 40);
  EXPECT_TRUE(guess(model, 100, {1, 2, 61, 4}, 3).empty());
  EXPECT_EQ(model.n_unread({100, "", Ids{1, 2, 61, 4}}), -1);
}

TEST(DraftModel, WhatWasReadServesTextsThatBeginAlike) {
  FakeExecutor executor({.max_rows = 64});
  DraftModel model(executor, 61, 0);
  const Ids text = some_tokens(40);
  guess(model, 0, text, 1);
  int64_t before = executor.n_rows;
  const Ids other = with(text, {3, 4});  // while the first runs: its whole pages
  EXPECT_EQ(guess(model, 1, other, 1), greedy(other, 1));
  EXPECT_EQ(executor.n_rows - before, 42 - 36);
  model.forget({0, "", text});
  model.forget({1, "", other});
  before = executor.n_rows;
  const Ids next = with(other, {5});  // a conversation that goes on
  EXPECT_EQ(guess(model, 2, next, 1), greedy(next, 1));
  EXPECT_EQ(executor.n_rows - before, 2);  // the new token, and the one that was last
  before = executor.n_rows;
  EXPECT_EQ(guess(model, 3, next, 1, "other"), greedy(next, 1));
  EXPECT_EQ(executor.n_rows - before, 43);
}

// Texts that begin and end, and continue with draft tokens or without, in caches of every size: the
// draft tokens are always the model's for the whole text.
TEST(DraftModel, DraftsRightInRandomBatches) {
  int64_t n_drafted = 0, n_without = 0;
  for (int round = 0; round < 40; ++round) {
    std::mt19937 random(round);
    const auto below = [&](int n) { return static_cast<int>(random() % n); };
    FakeExecutor executor(
        {.max_rows = 1 + below(40), .page_tokens = 1 + below(5), .n_pages = 20 + below(60)});
    DraftModel model(executor, 61, 0);
    std::map<int64_t, Ids> texts;
    for (int64_t step = 0; step < 40; ++step) {
      if (texts.size() < 5 && below(2)) texts[step] = some_tokens(1 + below(30), below(3));
      std::vector<DraftModel::Text> reading;
      for (const auto& [id, tokens] : texts)
        if (below(2)) reading.push_back({id, "", tokens});
      model.read(reading, 1 + below(20));
      std::map<int64_t, Ids> drafts;
      std::vector<DraftModel::Wish> wishes;
      for (const auto& [id, tokens] : texts)
        if (below(4)) wishes.push_back({{id, "", tokens}, 1 + below(4), &drafts[id]});
      n_drafted += model.guess(wishes);
      for (const auto& [id, drafted] : drafts) {
        ASSERT_EQ(drafted, greedy(texts[id], static_cast<int>(drafted.size()))) << round;
        n_without += drafted.empty();
        const int n_true = below(static_cast<int>(drafted.size()) + 1);
        texts[id].insert(texts[id].end(), drafted.begin(), drafted.begin() + n_true);
        if (below(5)) texts[id].push_back(below(61));
      }
      for (auto at = texts.begin(); at != texts.end();) {
        const bool over = below(8) == 0;
        if (over) model.forget({at->first, "", at->second});
        at = over ? texts.erase(at) : std::next(at);
      }
    }
    for (const auto& [id, tokens] : texts) model.forget({id, "", tokens});
    EXPECT_EQ(model.n_free_pages(), executor.groups()[0].n_pages);
  }
  EXPECT_GT(n_drafted, 1000);
  EXPECT_GT(n_without, 100);
}

}  // namespace
}  // namespace quern
