#include "engine/shared_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "engine/fake_executor.h"

namespace quern {
namespace {

EngineOptions options() {
  return {.end_ids = {60}, .token_bytes = [](int32_t id) {
            return std::string(1, static_cast<char>('A' + id % 26));
          }};
}

Request request(int32_t first, int max_tokens) {
  Request r;
  r.prompt = {first, 2, 3};
  r.options.max_tokens = max_tokens;
  r.options.ignore_eos = true;
  r.options.sampling.seed = first;
  return r;
}

Generation alone(Request r) {
  FakeExecutor executor({});
  SharedEngine engine(executor, options());
  return *engine.generate(std::move(r), {});
}

TEST(SharedEngine, DeltasAddUpToTheGeneration) {
  FakeExecutor executor({});
  SharedEngine engine(executor, options());
  std::string text;
  std::vector<int32_t> ids;
  const auto g = engine.generate(request(1, 12), [&](const Delta& d) {
    EXPECT_EQ(d.ids.size(), 1u);
    text += d.text;
    ids.insert(ids.end(), d.ids.begin(), d.ids.end());
    return true;
  });
  ASSERT_TRUE(g);
  EXPECT_EQ(g->ids.size(), 12u);
  EXPECT_EQ(g->ids, ids);
  EXPECT_EQ(g->text, text);
  EXPECT_EQ(g->finish, Finish::length);
  EXPECT_EQ(g->timings.predicted_n, 12);
}

TEST(SharedEngine, ACallbackMayStop) {
  FakeExecutor executor({});
  SharedEngine engine(executor, options());
  int n = 0;
  const auto g = engine.generate(request(1, 12), [&](const Delta&) { return ++n < 5; });
  EXPECT_EQ(g->finish, Finish::cancelled);
  EXPECT_EQ(g->ids.size(), 5u);
  EXPECT_EQ(g->timings.predicted_n, 5);
  EXPECT_EQ(g->timings.prompt_n, 3);
}

TEST(SharedEngine, ErrorsComeBack) {
  FakeExecutor executor({});
  SharedEngine engine(executor, options());
  EXPECT_EQ(engine.generate({}, {}).error().code, Code::invalid_argument);
  executor.fail_next = Error{Code::unavailable, "device lost", "", ""};
  EXPECT_EQ(engine.generate(request(1, 3), {}).error().code, Code::unavailable);
  EXPECT_EQ(engine.generate(request(1, 3), {})->ids, alone(request(1, 3)).ids);
}

TEST(SharedEngine, ManyThreadsRunAsOneBatchAndGetWhatTheyGetAlone) {
  FakeExecutor executor({.n_pages = 40});  // too few for all at once
  SharedEngine engine(executor, options());
  constexpr int kThreads = 8, kTokens = 20;
  std::atomic<int> n_running = 0;
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      bool first = true;
      const auto g = engine.generate(request(t, kTokens), [&](const Delta&) {
        if (first) {  // everyone is in before anyone goes on
          first = false;
          ++n_running;
          while (n_running < kThreads) std::this_thread::yield();
        }
        return true;
      });
      ASSERT_TRUE(g);
      EXPECT_EQ(g->ids, alone(request(t, kTokens)).ids);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(executor.most_chunks, 1u);
  EXPECT_LT(executor.n_steps, kThreads * kTokens);
}

TEST(SharedEngine, ScoresBesideOtherCallers) {
  FakeExecutor executor({});
  SharedEngine engine(executor, options());
  std::thread other([&] {
    for (int32_t i = 0; i < 20; ++i)
      EXPECT_EQ(engine.generate(request(i, 5), {})->ids, alone(request(i, 5)).ids);
  });
  for (int i = 0; i < 20; ++i) {
    int64_t n = 0;
    const std::vector<int32_t> tokens{1, 2, 3, 4, 5};
    EXPECT_TRUE(engine.score(tokens, 2, [&](int64_t, std::span<const float>) { return ++n > 0; }));
    EXPECT_EQ(n, 5);
  }
  other.join();
}

}  // namespace
}  // namespace quern
