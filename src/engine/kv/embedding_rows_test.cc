#include "engine/kv/embedding_rows.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "engine/fake_engine.h"

namespace quern {
namespace {

TEST(EmbeddingRows, EqualRowsHaveOneNumberAsLongAsSomebodyHoldsThem) {
  EmbeddingRows rows;
  const std::vector<float> a{1, 2}, b{1, 3};
  const int32_t first = rows.intern(a), second = rows.intern(b);
  EXPECT_NE(first, second);
  EXPECT_EQ(rows.intern(a), first);
  rows.release(first);
  EXPECT_EQ(rows.n_rows(), 2);
  rows.release(first);
  EXPECT_EQ(rows.n_rows(), 1);
  EXPECT_EQ(rows.intern(b), second);
  EXPECT_EQ(rows[second][1], 3);
}

// With one hash for all, rows are still told apart.
TEST(EmbeddingRows, AreComparedInFull) {
  EmbeddingRows rows([](std::span<const float>) { return uint64_t{7}; });
  const std::vector<float> a{1, 2}, b{1, 3}, zero{0, 0}, minus{-0.0f, 0};
  const int32_t numbers[] = {rows.intern(a), rows.intern(b), rows.intern(zero), rows.intern(minus)};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j) EXPECT_NE(numbers[i], numbers[j]);
  rows.release(numbers[1]);
  EXPECT_EQ(rows.intern(a), numbers[0]);
  EXPECT_EQ(rows.intern(minus), numbers[3]);
}

Request with_rows(std::vector<float> rows) {
  Request r = request({-1, -2, 5, -1, 9, 9, 9, 9, 9, 3}, 3);
  r.embeddings = std::move(rows);
  return r;
}
const std::vector<float> kRows{1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1};

TEST(EmbeddingRows, APrefixIsSharedByContent) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  const Done done = run(engine, with_rows(kRows));
  EXPECT_EQ(done.timings.cached_n, 0);
  // The same rows in another order, named accordingly.
  Request same = with_rows({kRows.begin() + 6, kRows.end()});
  same.embeddings.insert(same.embeddings.end(), kRows.begin(), kRows.begin() + 6);
  same.prompt[0] = same.prompt[3] = -2, same.prompt[1] = -1;
  const Done again = run(engine, same);
  EXPECT_EQ(again.timings.cached_n, 9);
  EXPECT_EQ(again.ids, done.ids);
  Request other = with_rows(kRows);
  other.embeddings[11] = 1.5f;  // of the second row
  EXPECT_EQ(run(engine, other).timings.cached_n, 1);
}

TEST(EmbeddingRows, WhatCannotBeARowIsRefused) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  const auto code = [&](Request r) {
    const auto outcome = engine.submit(std::move(r));
    return outcome ? Code::cancelled : outcome.error().code;
  };
  auto rows = kRows;
  rows[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code(with_rows(rows)), Code::invalid_argument);
  rows[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(code(with_rows(rows)), Code::invalid_argument);
  EXPECT_EQ(code(with_rows({kRows.begin(), kRows.end() - 1})), Code::invalid_argument);
  EXPECT_EQ(code(with_rows({kRows.begin(), kRows.begin() + 6})), Code::invalid_argument);
  EXPECT_EQ(code(with_rows({})), Code::invalid_argument);
  Request last = with_rows(kRows);
  last.prompt.back() = -1;
  EXPECT_EQ(code(last), Code::invalid_argument);
  last = with_rows(kRows);
  last.prompt[0] = INT32_MIN;
  EXPECT_EQ(code(last), Code::invalid_argument);
  FakeExecutor plain({.takes_embeddings = false});
  Engine without(plain, options());
  EXPECT_EQ(without.submit(with_rows(kRows)).error().code, Code::unsupported);
  EXPECT_EQ(engine.n_embedding_rows(), 0);
}

}  // namespace
}  // namespace quern
