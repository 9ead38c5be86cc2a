#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "engine/fake_engine.h"

namespace quern {
namespace {

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
  refused(request(std::vector<int32_t>(9, 1), 5), Code::context_too_long,
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

TEST(Engine, EmptyStopsAreRefusedNamingTheField) {
  for (const std::vector<std::string>& stop : {std::vector<std::string>{""}, {"a", ""}}) {
    FakeExecutor executor({});
    Engine engine(executor, options());
    Request r = request({9}, 4);
    r.options.stop = stop;
    const auto refused = engine.submit(std::move(r));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
    EXPECT_EQ(refused.error().where, "stop");
    EXPECT_NE(refused.error().what.find("is empty"), std::string::npos);
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
  EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
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
    EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
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
  EXPECT_EQ(engine.score(std::vector<int32_t>(25, 2), 0, {}).error().code, Code::context_too_long);
  EXPECT_EQ(engine.score(tokens, -1, {}).error().code, Code::invalid_argument);
  while (engine.step() > 0) {
  }
  EXPECT_EQ(engine.take(id).ids, alone(r).ids);
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
  EXPECT_GT(engine.counts().n_preempted, 0);
  for (const auto& [id, r] : all) EXPECT_EQ(engine.take(id).ids, alone(r, roomy).ids);
  // Roles do count.
  EXPECT_NE(alone(all[0].second).ids, alone(all[0].second, roomy).ids);
}

TEST(Engine, SeveralAnswersShareThePromptAndItsLogits) {
  for (const int page_tokens : {1, 4, 64}) {
    FakeExecutor executor({.max_rows = 512, .page_tokens = page_tokens, .n_pages = 512});
    Engine engine(executor, options());
    Request r = request({1, 2, 3, 4, 5, 6, 7}, 6, 1);
    r.options.n = 5;
    const RequestId first = *engine.submit(r);
    while (engine.step() > 0) {
    }
    EXPECT_EQ(executor.n_rows, 7 + 5 * 5) << "the prompt once, then a row a token";
    std::set<std::vector<int32_t>> different;
    for (int i = 0; i < 5; ++i) {
      Request single = r;
      single.options.n = 1;
      single.options.sampling.seed += static_cast<uint64_t>(i);
      Done done;
      collect(engine, first + i, done);
      EXPECT_EQ(done.ids, alone(single).ids);
      EXPECT_EQ(done.timings.cached_n, i == 0 ? 0 : 7);
      different.insert(done.ids);
    }
    EXPECT_EQ(different.size(), 5u);
    EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
  }
}

TEST(Engine, OtherAnswersGoOnWithoutTheFirst) {
  FakeExecutor executor({.max_rows = 4});
  Engine engine(executor, options());
  Request r = request({1, 2, 3, 4, 5, 6, 7}, 6, 1);
  r.options.n = 3;
  const RequestId first = *engine.submit(r);
  engine.step();
  engine.cancel(first);
  while (engine.step() > 0) {
  }
  r.options.n = 1, ++r.options.sampling.seed;
  EXPECT_EQ(engine.take(first).finish, Finish::cancelled);
  EXPECT_EQ(engine.take(first + 1).ids, alone(r).ids);
  EXPECT_EQ(engine.take(first + 2).ids.size(), 6u);
}

TEST(Engine, TimingsAddUp) {
  FakeExecutor executor({.max_rows = 4});
  Engine engine(executor, options());
  const Done done = run(engine, request({1, 2, 3, 4, 5, 6, 7, 8, 9}, 6, 1));
  const Timings& t = done.timings;
  EXPECT_GT(t.queue_ms, 0);
  EXPECT_NEAR(t.first_token_ms, t.queue_ms + t.prompt_ms, 1e-6);
  EXPECT_GT(t.per_token_ms, 0);
  EXPECT_NEAR(t.per_token_ms * (t.predicted_n - 1), t.predicted_ms, 1e-6);
  // One that never began has waited, and no more.
  const RequestId id = *engine.submit(request({1, 2}, 3));
  engine.cancel(id);
  const Timings none = engine.take(id).timings;
  EXPECT_GT(none.queue_ms, 0);
  EXPECT_EQ(none.first_token_ms, 0);
  EXPECT_EQ(none.per_token_ms, 0);
}

TEST(Engine, CountsWhatIsGoingOn) {
  FakeExecutor executor({.n_pages = 16});
  Engine engine(executor, options());
  const std::vector<int32_t> prompt{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const RequestId id = *engine.submit(request(prompt, 30, 1));
  EXPECT_EQ(engine.counts().n_waiting, 1);
  EXPECT_EQ(engine.counts().n_running, 0);
  engine.step();
  EngineCounts counts = engine.counts();
  EXPECT_EQ(counts.n_waiting, 0);
  EXPECT_EQ(counts.n_running, 1);
  EXPECT_EQ(counts.n_pages, 16);
  EXPECT_EQ(counts.n_used_pages, 3);
  EXPECT_EQ(counts.n_generated, 1);
  EXPECT_EQ(counts.n_prefix_hits, 0);
  engine.drop(id);
  counts = engine.counts();
  EXPECT_EQ(counts.n_running, 0);
  EXPECT_EQ(counts.n_used_pages, 0);
  EXPECT_GT(counts.n_cached_pages, 0);
  EXPECT_EQ(counts.n_answers, 1);
  run(engine, request(prompt, 2));
  counts = engine.counts();
  EXPECT_EQ(counts.n_prefix_hits, 1);
  EXPECT_GT(counts.n_cached_tokens, 0);
  EXPECT_EQ(counts.n_answers, 2);
}

TEST(Engine, RefusesMoreThanTheQueueHolds) {
  FakeExecutor executor({});
  EngineOptions o = options();
  o.max_waiting = 3;
  Engine engine(executor, o);
  Request two = request({1, 2}, 3);
  two.options.n = 2;
  EXPECT_TRUE(engine.submit(two));
  EXPECT_EQ(engine.submit(two).error().code, Code::queue_full);
  EXPECT_TRUE(engine.submit(request({1}, 3)));
  EXPECT_EQ(engine.submit(request({1}, 3)).error().code, Code::queue_full);
  engine.step();  // they have begun
  EXPECT_TRUE(engine.submit(two));
}

TEST(Engine, ADeadlineEndsAnAnswerWaitingOrRunning) {
  FakeExecutor executor({.n_pages = 8});
  Engine engine(executor, options());
  EXPECT_FALSE(engine.next_deadline());
  Request r = request({1, 2, 3}, 20);
  r.options.ignore_eos = true;
  const RequestId unbounded = *engine.submit(r);
  r.options.deadline_ms = 1;
  const RequestId running = *engine.submit(r), waiting = *engine.submit(r);
  engine.pause(waiting, true);
  ASSERT_TRUE(engine.next_deadline());
  engine.step();
  std::this_thread::sleep_until(*engine.next_deadline());
  while (engine.step() > 0) {
  }
  EXPECT_EQ(engine.take(running).finish, Finish::deadline);
  EXPECT_EQ(engine.take(waiting).finish, Finish::deadline);
  EXPECT_EQ(engine.take(unbounded).finish, Finish::length);
  EXPECT_EQ(engine.n_free_pages(), 8);
}

TEST(Engine, APausedAnswerWaitsAndGoesOn) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  Request r = request({1, 2, 3}, 12);
  r.options.ignore_eos = true;
  const RequestId id = *engine.submit(r);
  engine.step();
  engine.pause(id, true);
  EXPECT_EQ(engine.step(), 0);
  engine.pause(id, false);
  engine.pause(12345, true);
  while (engine.step() > 0) {
  }
  EXPECT_EQ(engine.take(id).ids, alone(r).ids);
}

// The model repeats itself as soon as its last tokens repeat: guesses come true, and save steps.
TEST(Engine, GuessesSaveStepsAndChangeNoToken) {
  for (const float temperature : {0.f, 1.f}) {
    Request r = request({1, 2, 3, 4, 5}, 120, temperature);
    r.options.ignore_eos = true;
    FakeExecutor executor({.n_vocab = 6, .max_rows = 64, .context = 2});
    EngineOptions o = options();
    o.always_guess = true;  // times decide nothing here
    Engine engine(executor, o);
    const Done with = run(engine, r);
    r.options.speculate = false;
    FakeExecutor other({.n_vocab = 6, .max_rows = 64, .context = 2});
    Engine plain(other, options());
    const Done without = run(plain, r);
    EXPECT_EQ(with.ids, without.ids);
    EXPECT_EQ(other.n_steps, 120);
    EXPECT_EQ(without.timings.draft_n, 0);
    EXPECT_GT(with.timings.draft_true_n, 0);
    if (temperature == 0) {
      EXPECT_LT(executor.n_steps, 60);
    }
    EXPECT_EQ(engine.counts().n_true_drafts, with.timings.draft_true_n);
  }
}

TEST(Engine, ForcedTokensAreReadWithoutASampleEach) {
  Request r = request({1, 2, 3}, 40);
  r.constraint = [] { return std::make_unique<FakeConstraint>(); };
  FakeExecutor executor({.max_rows = 64});
  Engine engine(executor, options());
  const Done fast = run(engine, r);
  r.options.sampling.n_probs = 0;  // every token is sampled
  FakeExecutor other({.max_rows = 64});
  Engine plain(other, options());
  const Done slow = run(plain, r);
  EXPECT_EQ(fast.ids, slow.ids);
  EXPECT_EQ(fast.finish, slow.finish);
  EXPECT_GT(fast.ids.size(), 10u);
  EXPECT_LT(executor.n_steps, other.n_steps);
  FakeConstraint constraint;
  for (const int32_t id : fast.ids) {
    std::vector<uint32_t> bits(2);
    ASSERT_TRUE(constraint.mask(bits));
    EXPECT_TRUE(bits[id / 32] >> (id % 32) & 1);
    ASSERT_TRUE(constraint.consume(id));
  }
}

TEST(Engine, AConstraintThatFailsEndsItsAnswerAndNoOther) {
  FakeExecutor executor({});
  Engine engine(executor, options());
  Request good = request({1, 2}, 9), bad = request({3, 4}, 9);
  good.options.ignore_eos = bad.options.ignore_eos = true;
  bad.constraint = [] { return std::make_unique<FakeConstraint>(4); };
  const RequestId a = *engine.submit(good), b = *engine.submit(bad);
  while (engine.step() > 0) {
  }
  EXPECT_EQ(engine.take(a).ids, alone(good).ids);
  const Output failed = engine.take(b);
  ASSERT_TRUE(failed.error);
  EXPECT_EQ(failed.error->code, Code::invalid_argument);
  EXPECT_EQ(engine.n_free_pages(), executor.groups()[0].n_pages);
}

TEST(Engine, ASpentReasoningBudgetForcesTheEndMark) {
  const ReasoningMarks marks = {.start = {58}, .end = {57, 56}, .message = {55}};
  Request r = request({1, 2, 3}, 12, 1);
  r.options.ignore_eos = true;
  for (const int budget : {0, 3}) {
    FakeExecutor executor({});
    Engine engine(executor, options());
    r.reasoning.emplace(marks, budget, true);
    const Done done = run(engine, r);
    ASSERT_EQ(done.ids.size(), 12u);
    const std::vector<int32_t> forced(done.ids.begin() + budget, done.ids.begin() + budget + 3);
    EXPECT_EQ(forced, (std::vector<int32_t>{55, 57, 56}));
    Request free = r;
    free.reasoning.reset();
    FakeExecutor other({});
    Engine plain(other, options());
    const Done without = run(plain, free);
    EXPECT_TRUE(std::equal(done.ids.begin(), done.ids.begin() + budget, without.ids.begin()));
  }
}

TEST(Engine, LogprobsComeWithTheirTokens) {
  Request r = request({1, 2, 3}, 5);
  r.options.ignore_eos = true;
  r.options.sampling.n_probs = 3;
  FakeExecutor executor({});
  Engine engine(executor, options());
  const RequestId id = *engine.submit(r);
  while (engine.step() > 0) {
  }
  const Output output = engine.take(id);
  ASSERT_EQ(output.logprobs.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(output.logprobs[i].id, output.ids[i]);
    ASSERT_EQ(output.logprobs[i].top.size(), 3u);
    EXPECT_EQ(output.logprobs[i].top[0].id, output.ids[i]);  // greedy
    EXPECT_EQ(output.logprobs[i].top[0].logprob, output.logprobs[i].logprob);
    EXPECT_LT(output.logprobs[i].logprob, 0);
  }
}

// What the model wrote has other bits than the same text read cold. Keyed by role nothing differs.
TEST(Engine, ReuseIsExactWhereRolesAreKept) {
  for (const bool deterministic : {false, true}) {
    const FakeExecutor::Shape shape = {.max_rows = 64, .roles_count = true};
    FakeExecutor executor(shape);
    EngineOptions o = options();
    o.deterministic = deterministic;
    Engine engine(executor, o);
    Request r = request({1, 2, 3, 4, 5, 6, 7}, 6);
    r.options.ignore_eos = true;
    const Done first = run(engine, r);
    r.prompt.insert(r.prompt.end(), first.ids.begin(), first.ids.end());
    r.prompt.insert(r.prompt.end(), {8, 9});
    const Done second = run(engine, r);
    EXPECT_EQ(second.timings.cached_n, deterministic ? 6 : 12);
    EXPECT_EQ(second.ids == alone(r, shape).ids, deterministic);
    EXPECT_EQ(run(engine, r).ids == alone(r, shape).ids, deterministic);
  }
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
