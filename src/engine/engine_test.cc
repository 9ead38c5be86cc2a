#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "engine/fake_executor.h"

namespace quern {
namespace {

constexpr int32_t kEnd = 60;

EngineOptions options() {
  return {
      .end_ids = {kEnd},
      .token_bytes = [](int32_t id) { return std::string(1, static_cast<char>('A' + id % 26)); },
      .max_sequences = 8,
      .prompt_rows_beside_streams = 5};
}

Request request(std::vector<int32_t> prompt, int max_tokens, float temperature = 0) {
  Request r;
  r.prompt = std::move(prompt);
  r.options.max_tokens = max_tokens;
  r.options.sampling.temperature = temperature;
  return r;
}

struct Done {
  std::vector<int32_t> ids;
  std::string text;
  Finish finish = Finish::cancelled;
  Timings timings;
};

void collect(Engine& engine, RequestId id, Done& done) {
  Output output = engine.take(id);
  ASSERT_FALSE(output.error) << to_string(*output.error);
  done.ids.insert(done.ids.end(), output.ids.begin(), output.ids.end());
  done.text += output.text;
  if (!output.finish) return;
  done.finish = *output.finish;
  done.timings = output.timings;
}

Done run(Engine& engine, Request r) {
  const auto id = engine.submit(std::move(r));
  EXPECT_TRUE(id);
  while (engine.step() > 0) {
  }
  Done done;
  collect(engine, *id, done);
  return done;
}

// What the request gives with a fresh cache and nobody else.
Done alone(Request r, FakeExecutor::Shape shape = {.max_rows = 512, .n_pages = 256}) {
  FakeExecutor executor(shape);
  Engine engine(executor, options());
  return run(engine, std::move(r));
}

TEST(Engine, GeneratesUntilTheLimit) {
  Request r = request({1, 2, 3}, 10);
  r.options.ignore_eos = true;
  const Done done = alone(r);
  EXPECT_EQ(done.ids.size(), 10u);
  EXPECT_EQ(done.text.size(), 10u);
  EXPECT_EQ(done.finish, Finish::length);
  EXPECT_EQ(done.timings.prompt_n, 3);
  EXPECT_EQ(done.timings.predicted_n, 10);
}

TEST(Engine, StopsAtTheEndTokenUnlessToldNotTo) {
  bool seen = false;
  for (int32_t first = 0; first < 40 && !seen; ++first) {
    Request r = request({first}, 60);
    const Done done = alone(r);
    if (done.finish != Finish::stop) continue;
    seen = true;
    r.options.ignore_eos = true;
    const Done on = alone(r);
    ASSERT_GT(on.ids.size(), done.ids.size());
    EXPECT_EQ(on.ids[done.ids.size()], kEnd);
    EXPECT_TRUE(std::equal(done.ids.begin(), done.ids.end(), on.ids.begin()));
    EXPECT_EQ(done.text.size(), done.ids.size());  // the end token has no text
  }
  EXPECT_TRUE(seen);
}

TEST(Engine, ZeroTokensComputesThePromptOnly) {
  const Done done = alone(request({1, 2, 3}, 0));
  EXPECT_TRUE(done.ids.empty());
  EXPECT_EQ(done.finish, Finish::length);
  EXPECT_EQ(done.timings.prompt_n, 3);
}

TEST(Engine, ChunkingAndPageSizeChangeNothing) {
  std::vector<int32_t> prompt(37);
  for (int i = 0; i < 37; ++i) prompt[i] = i * 7 % 61;
  const Done expected = alone(request(prompt, 20, 1));
  for (const int max_rows : {1, 2, 5, 36, 37}) {
    for (const int page_tokens : {1, 3, 64}) {
      const Done done = alone(request(prompt, 20, 1),
                              {.max_rows = max_rows, .page_tokens = page_tokens, .n_pages = 64});
      EXPECT_EQ(done.ids, expected.ids) << max_rows << ' ' << page_tokens;
    }
  }
}

TEST(Engine, RefusesBadRequestsNamingTheField) {
  FakeExecutor executor({.page_tokens = 4, .n_pages = 2});
  Engine engine(executor, options());
  const auto refused = [&](Request r, Code code, const std::string& what) {
    const auto id = engine.submit(std::move(r));
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code, code);
    EXPECT_NE(to_string(id.error()).find(what), std::string::npos) << to_string(id.error());
  };
  refused(request({}, 5), Code::invalid_argument, "prompt is empty");
  refused(request({1, 61}, 5), Code::invalid_argument, "token id 61");
  refused(request({1, -1}, 5), Code::invalid_argument, "token 1");
  refused(request({1}, -2), Code::invalid_argument, "max_tokens");
  refused(request({1}, 5, -1), Code::invalid_argument, "temperature");
  refused(request(std::vector<int32_t>(9, 1), 5), Code::out_of_memory,
          "9 tokens, the context holds 8");
  EXPECT_EQ(engine.step(), 0);
}

TEST(Engine, AFullContextEndsWithLength) {
  for (const int n_prompt : {1, 5, 8}) {
    FakeExecutor executor({.page_tokens = 4, .n_pages = 2});
    Engine engine(executor, options());
    Request r = request(std::vector<int32_t>(n_prompt, 3), -1);
    r.options.ignore_eos = true;
    const Done done = run(engine, r);
    EXPECT_EQ(done.finish, Finish::length);
    EXPECT_EQ(done.ids.size(), 8u - n_prompt + 1);  // the last one fed nowhere
    r.options.max_tokens = static_cast<int>(done.ids.size());
    EXPECT_EQ(alone(r).ids, done.ids);
  }
}

TEST(Engine, TheModelsContextBoundsASequenceInALargerCache) {
  FakeExecutor executor({.page_tokens = 4, .n_pages = 20});
  EngineOptions o = options();
  o.context = 6;
  Engine engine(executor, o);
  Request r = request({1, 2}, -1);
  r.options.ignore_eos = true;
  EXPECT_EQ(run(engine, r).ids.size(), 5u);
  EXPECT_FALSE(engine.submit(request(std::vector<int32_t>(7, 1), 1)));
}

TEST(Engine, OnePageOfOneTokenIsEnoughForOneToken) {
  FakeExecutor executor({.max_rows = 1, .page_tokens = 1, .n_pages = 1});
  Engine engine(executor, options());
  const Done done = run(engine, request({5}, 4));
  EXPECT_EQ(done.ids, alone(request({5}, 1)).ids);
  EXPECT_EQ(done.finish, Finish::length);
}

TEST(Engine, StopStringsMaySpanTokensAndAreCutOff) {
  const Done whole = alone(request({9, 9}, 30));
  for (const size_t length : {1, 2, 5}) {
    const std::string stop = whole.text.substr(12, length);
    const size_t first = whole.text.find(stop);
    Request r = request({9, 9}, 30);
    r.options.stop = {"no such thing", stop};
    const Done done = alone(r);
    EXPECT_EQ(done.text, whole.text.substr(0, first));
    EXPECT_EQ(done.finish, Finish::stop);
    EXPECT_EQ(done.ids.size(), first + length);
  }
}

TEST(Engine, HoldsBackWhatMayBecomeAStopAndLetsItOutAtTheEnd) {
  const Done whole = alone(request({9, 9}, 10));
  Request r = request({9, 9}, 10);
  r.options.stop = {whole.text.substr(7) + "?"};
  FakeExecutor executor({});
  Engine engine(executor, options());
  const RequestId id = *engine.submit(r);
  std::string text;
  size_t n_ids = 0;
  bool held = false;
  for (;;) {
    engine.step();
    const Output output = engine.take(id);
    text += output.text;
    n_ids += output.ids.size();
    if (output.finish) break;
    held |= text.size() < n_ids;
    EXPECT_EQ(output.ids.size(), 1u);
  }
  EXPECT_TRUE(held);
  EXPECT_EQ(text, whole.text);
}

TEST(Engine, StreamsWholeCharactersOnly) {
  FakeExecutor executor({});
  EngineOptions o = options();
  const std::string bytes = "\xe2\x82\xac";  // one byte of a euro sign per token
  int n = 0;
  o.token_bytes = [&](int32_t) { return std::string(1, bytes[n++ % 3]); };
  Engine engine(executor, o);
  Request r = request({4}, 8);
  r.options.ignore_eos = true;
  const RequestId id = *engine.submit(r);
  std::vector<std::string> pieces;
  for (;;) {
    engine.step();
    const Output output = engine.take(id);
    pieces.push_back(output.text);
    if (output.finish) break;
  }
  EXPECT_EQ(pieces, (std::vector<std::string>{"", "", bytes, "", "", bytes, "", "\xef\xbf\xbd"}));
}

TEST(Engine, CancelEndsARequestAndFreesItsPages) {
  FakeExecutor executor({.n_pages = 8});
  Engine engine(executor, options());
  const RequestId id = *engine.submit(request({1, 2, 3, 4, 5}, 20));
  engine.step();
  EXPECT_EQ(engine.take(id).ids.size(), 1u);
  engine.step();
  engine.cancel(id);
  engine.cancel(id);
  engine.cancel(12345);
  const Output last = engine.take(id);
  EXPECT_EQ(last.ids.size(), 1u);
  EXPECT_EQ(last.finish, Finish::cancelled);
  EXPECT_EQ(engine.step(), 0);
  EXPECT_EQ(engine.n_free_pages(), 8);
  const RequestId other = *engine.submit(request({1}, 20));
  engine.step();
  engine.drop(other);
  EXPECT_EQ(engine.n_free_pages(), 8);
}

TEST(Engine, AnExecutorsErrorEndsItsBatchAndNoOther) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  const RequestId id = *engine.submit(request({1, 2}, 20));
  engine.step();
  executor.fail_next = Error{Code::unavailable, "device lost", "", ""};
  engine.step();
  const Output output = engine.take(id);
  ASSERT_TRUE(output.error);
  EXPECT_EQ(output.error->code, Code::unavailable);
  EXPECT_EQ(engine.n_free_pages(), executor.n_pages());
  EXPECT_EQ(run(engine, request({1, 2}, 20)).ids, alone(request({1, 2}, 20)).ids);
}

TEST(Engine, TheNextTurnComputesOnlyWhatIsNew) {
  FakeExecutor executor({.max_rows = 64});
  Engine engine(executor, options());
  std::vector<int32_t> history{1, 2, 3, 4, 5, 6, 7};
  int n_computed = 0;
  for (int turn = 0; turn < 4; ++turn) {
    Request r = request(history, 6);
    r.options.ignore_eos = true;
    const int64_t before = executor.n_rows;
    const Done done = run(engine, r);
    EXPECT_EQ(done.ids, alone(r).ids) << "turn " << turn;
    EXPECT_EQ(done.timings.cached_n, n_computed);
    EXPECT_EQ(done.timings.prompt_n, static_cast<int>(history.size()) - n_computed);
    EXPECT_EQ(executor.n_rows - before, done.timings.prompt_n + 5);
    n_computed = static_cast<int>(history.size()) + 5;  // all but the last token
    history.insert(history.end(), done.ids.begin(), done.ids.end());
    history.insert(history.end(), {8, 9, static_cast<int32_t>(turn)});
  }
}

TEST(Engine, ScoringGivesTheLogitsOfEveryTokenWhateverTheChunk) {
  std::vector<int32_t> tokens(23);
  for (int i = 0; i < 23; ++i) tokens[i] = i * 5 % 61;
  std::vector<std::vector<float>> expected;
  for (const int chunk : {0, 1, 4, 23, 100}) {
    FakeExecutor executor({.max_rows = 16});
    Engine engine(executor, options());
    std::vector<std::vector<float>> all;
    ASSERT_TRUE(engine.score(tokens, chunk, [&](int64_t i, std::span<const float> logits) {
      EXPECT_EQ(i, static_cast<int64_t>(all.size()));
      all.emplace_back(logits.begin(), logits.end());
      return true;
    }));
    if (expected.empty()) expected = all;
    EXPECT_EQ(all.size(), tokens.size());
    EXPECT_EQ(all, expected);
    EXPECT_EQ(engine.n_free_pages(), executor.n_pages());
  }
  // The logits after the last token are those that generation starts from.
  const auto best = std::max_element(expected.back().begin(), expected.back().end());
  EXPECT_EQ(alone(request(tokens, 1)).ids[0], best - expected.back().begin());
}

TEST(Engine, ScoringTakesPagesFromRunningRequestsWhichGoOnUnchanged) {
  FakeExecutor executor({.page_tokens = 4, .n_pages = 6});
  Engine engine(executor, options());
  Request r = request({1, 2, 3}, 12);
  r.options.ignore_eos = true;
  const RequestId id = *engine.submit(r);
  for (int i = 0; i < 5; ++i) engine.step();
  const std::vector<int32_t> tokens(24, 2);
  EXPECT_TRUE(engine.score(tokens, 0, [](int64_t, std::span<const float>) { return true; }));
  const auto stopped =
      engine.score(tokens, 5, [](int64_t i, std::span<const float>) { return i < 7; });
  EXPECT_EQ(stopped.error().code, Code::cancelled);
  EXPECT_EQ(engine.score(std::vector<int32_t>(25, 2), 0, {}).error().code, Code::out_of_memory);
  EXPECT_EQ(engine.score(tokens, -1, {}).error().code, Code::invalid_argument);
  while (engine.step() > 0) {
  }
  EXPECT_EQ(engine.take(id).ids, alone(r).ids);
}

// Random crowds in caches of every tightness: each request's tokens and text are those it has
// alone, and at the end every page is free.
TEST(EngineProperty, ACrowdChangesNobodysTokens) {
  std::mt19937 random(5);
  const auto below = [&](int n) { return static_cast<int>(random() % n); };
  int n_cancelled = 0, n_reused = 0;
  int64_t n_preempted = 0;
  size_t most_chunks = 0;
  for (int round = 0; round < 120; ++round) {
    const int page_tokens = 1 + below(6);
    FakeExecutor executor({.max_rows = 1 + below(24),
                           .page_tokens = page_tokens,
                           .n_pages = (40 + below(60) + page_tokens) / page_tokens});
    EngineOptions o = options();
    o.context = 40;
    o.prompt_rows_beside_streams = 1 + below(8);
    Engine engine(executor, o);
    std::map<RequestId, std::pair<Request, Done>> running;
    for (int arriving = 14; arriving > 0 || !running.empty();) {
      while (arriving > 0 && below(3) == 0) {
        std::vector<int32_t> prompt(1 + below(30), below(3));  // alike, so that prefixes are shared
        if (below(2)) prompt.back() = below(60);
        Request r = request(prompt, 1 + below(10), static_cast<float>(below(3)) / 2);
        r.priority = below(2);
        r.options.sampling.seed = random();
        r.options.sampling.repeat_penalty = below(2) ? 1.3f : 1;
        if (below(3) == 0) r.options.stop = {std::string(1, static_cast<char>('A' + below(26)))};
        running.emplace(*engine.submit(r), std::make_pair(r, Done{}));
        --arriving;
      }
      const int n = engine.step();
      ASSERT_TRUE(n > 0 || running.empty());
      for (auto at = running.begin(); at != running.end();) {
        auto& [r, done] = at->second;
        const bool cancelled = below(150) == 0;
        if (cancelled) engine.cancel(at->first);
        Output output = engine.take(at->first);
        ASSERT_FALSE(output.error);
        done.ids.insert(done.ids.end(), output.ids.begin(), output.ids.end());
        done.text += output.text;
        if (!output.finish) {
          ++at;
          continue;
        }
        const Done expected = alone(r);
        n_reused += output.timings.cached_n;
        if (*output.finish == Finish::cancelled) {
          ++n_cancelled;
          ASSERT_LE(done.ids.size(), expected.ids.size());
          ASSERT_TRUE(std::equal(done.ids.begin(), done.ids.end(), expected.ids.begin()));
        } else {
          ASSERT_EQ(done.ids, expected.ids) << "round " << round;
          ASSERT_EQ(done.text, expected.text);
          ASSERT_EQ(*output.finish, expected.finish);
        }
        at = running.erase(at);
      }
    }
    EXPECT_EQ(engine.n_free_pages(), executor.n_pages());
    n_preempted += engine.n_preempted();
    most_chunks = std::max(most_chunks, executor.most_chunks);
  }
  // The rounds did what they are for.
  EXPECT_GT(n_cancelled, 20);
  EXPECT_GT(n_reused, 500);
  EXPECT_GT(n_preempted, 50);
  EXPECT_GT(most_chunks, 4u);
}

// Numerics follow from roles: what a preempted sequence computes again must have the role that it
// had.
TEST(Engine, RowsComputedAgainKeepTheirRoles) {
  const FakeExecutor::Shape roomy = {.max_rows = 512, .n_pages = 256, .roles_count = true};
  FakeExecutor executor({.max_rows = 12, .n_pages = 12, .roles_count = true});
  Engine engine(executor, options());
  std::vector<std::pair<RequestId, Request>> all;
  for (int32_t i = 0; i < 6; ++i) {
    Request r = request({i, 7, 8, 9, 10, 11, 12}, 14);  // nothing to share
    r.options.ignore_eos = true;
    all.emplace_back(*engine.submit(r), r);
  }
  while (engine.step() > 0) {
  }
  EXPECT_GT(engine.n_preempted(), 0);
  for (const auto& [id, r] : all) EXPECT_EQ(engine.take(id).ids, alone(r, roomy).ids);
  // Roles do count.
  EXPECT_NE(alone(all[0].second).ids, alone(all[0].second, roomy).ids);
}

TEST(Engine, ScoresBehindAPrompt) {
  FakeExecutor executor({.max_rows = 4, .n_pages = 16, .roles_count = true});
  Engine engine(executor, options());
  std::vector<int32_t> tokens(11);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(3 * i);
  const auto scored = [&](int64_t n_prompt, int chunk) {
    std::map<int64_t, std::vector<float>> rows;
    EXPECT_TRUE(engine.score(
        tokens, chunk,
        [&](int64_t i, std::span<const float> logits) {
          rows[i] = {logits.begin(), logits.end()};
          return true;
        },
        n_prompt));
    return rows;
  };
  const auto rows = scored(6, 0);
  ASSERT_EQ(rows.size(), 6u);  // tokens 5 (the prompt's last) to 10
  EXPECT_EQ(rows.begin()->first, 5);
  EXPECT_EQ(scored(6, 1), rows);
  EXPECT_EQ(scored(6, 3), rows);
  EXPECT_EQ(scored(0, 0).size(), 11u);
  EXPECT_NE(scored(0, 0).at(10), rows.at(10));  // read in other roles
  EXPECT_EQ(engine.score(tokens, 0, {}, 12).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace quern
