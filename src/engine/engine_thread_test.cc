#include "engine/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/fake_engine.h"

namespace quern {
namespace {

Request asked(int32_t first, int max_tokens) {
  Request r = request({first, 2, 3}, max_tokens, 0.8f);
  r.options.ignore_eos = true;
  r.options.sampling.seed = first;
  return r;
}

std::vector<int32_t> expected(int32_t first, int max_tokens) {
  return alone(asked(first, max_tokens)).ids;
}

std::vector<EngineThread::Ticket> tickets_of(EngineThread& engine, Request r) {
  auto tickets = engine.submit(std::move(r));
  return std::move(*tickets);
}

TEST(EngineThread, DeltasAddUpToTheGeneration) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  std::string text;
  std::vector<int32_t> ids;
  const auto g = engine.generate(asked(1, 12), [&](const Delta& d) {
    text += d.text;
    ids.insert(ids.end(), d.ids.begin(), d.ids.end());
    return true;
  });
  ASSERT_TRUE(g);
  EXPECT_EQ(g->ids, expected(1, 12));
  EXPECT_EQ(g->ids, ids);
  EXPECT_EQ(g->text, text);
  EXPECT_EQ(g->finish, Finish::length);
  EXPECT_EQ(g->timings.predicted_n, 12);
}

TEST(EngineThread, ACallbackMayStopAndHasSeenEverything) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  size_t n = 0;
  const auto g =
      engine.generate(asked(1, 100), [&](const Delta& d) { return (n += d.ids.size()) < 5; });
  EXPECT_EQ(g->finish, Finish::cancelled);
  EXPECT_EQ(g->ids.size(), n);
  EXPECT_EQ(g->timings.predicted_n, static_cast<int>(n));
  EXPECT_EQ(g->timings.prompt_n, 3);
}

TEST(EngineThread, ErrorsComeBack) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  EXPECT_EQ(engine.generate({}, {}).error().code, Code::invalid_argument);
  engine.call([&](Engine&) { executor.fail_next = Error{Code::unavailable, "lost", "", ""}; });
  EXPECT_EQ(engine.generate(asked(1, 3), {}).error().code, Code::unavailable);
  EXPECT_EQ(engine.generate(asked(1, 3), {})->ids, expected(1, 3));
}

TEST(EngineThread, ManyCallersRunAsOneBatchAndGetWhatTheyGetAlone) {
  FakeExecutor executor({.n_pages = 40});  // too few for all at once
  EngineThread engine(executor, options());
  constexpr int kThreads = 8, kTokens = 20;
  std::atomic<int> n_running = 0;
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      bool first = true;
      const auto g = engine.generate(asked(t, kTokens), [&](const Delta&) {
        if (std::exchange(first, false)) ++n_running;
        return true;
      });
      ASSERT_TRUE(g);
      EXPECT_EQ(g->ids, expected(t, kTokens));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_running, kThreads);
  EXPECT_EQ(engine.call([](Engine& e) { return e.n_free_pages(); }), 40);
}

// Holds every forward pass until it is let go.
class Gate {
 public:
  explicit Gate(FakeExecutor& executor) {
    executor.on_pass = [this] {
      std::unique_lock lock(mutex_);
      inside_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
    };
  }
  void wait_until_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false, open_ = false;
};

// What `ask` returns while the gate is closed. Opens it where that takes forever, so that the test
// ends.
template <class F>
auto while_held(Gate& gate, F ask) {
  auto result = std::async(std::launch::async, std::move(ask));
  EXPECT_EQ(result.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  if (::testing::Test::HasFailure()) gate.open();
  return result.get();
}

TEST(EngineThread, NothingButReadingWaitsForAForwardPass) {
  FakeExecutor executor({});
  Gate gate(executor);
  EngineOptions o = options();
  o.max_waiting = 3;
  EngineThread engine(executor, o);
  auto first = tickets_of(engine, asked(1, 5));
  gate.wait_until_held();
  Request two = asked(2, 6);
  two.options.n = 2;
  auto more = while_held(gate, [&] { return engine.submit(two); });
  ASSERT_TRUE(more) << to_string(more.error());
  const auto counts = while_held(gate, [&] { return engine.counts(); });
  EXPECT_EQ(counts.n_waiting, 2);
  EXPECT_EQ(counts.n_steps, 0);
  EXPECT_EQ(counts.n_pages, 64);
  // Errors come at once too, and leave nothing counted.
  EXPECT_EQ(while_held(gate, [&] { return engine.submit({}); }).error().code,
            Code::invalid_argument);
  EXPECT_EQ(while_held(gate, [&] { return engine.submit(two); }).error().code, Code::queue_full);
  auto last = while_held(gate, [&] { return engine.submit(asked(3, 5)); });
  ASSERT_TRUE(last);
  EXPECT_EQ(engine.counts().n_waiting, 3);
  EXPECT_FALSE(while_held(gate, [&] { return (*more)[0].try_take(); }));
  while_held(gate, [&] { return (*last)[0].cancel(), true; });
  gate.open();
  std::vector<int32_t> ids;
  while (const auto output = (*more)[0].take())
    ids.insert(ids.end(), output->ids.begin(), output->ids.end());
  EXPECT_EQ(ids, expected(2, 6));
  std::optional<Finish> finish;
  while (const auto output = (*last)[0].take()) finish = output->finish;
  EXPECT_EQ(finish, Finish::cancelled);
  while ((*more)[1].take()) {
  }
  while (first[0].take()) {
  }
  EXPECT_EQ(engine.counts().n_waiting, 0);
  const EngineCounts all = engine.call([](Engine& e) { return e.counts(); });
  EXPECT_EQ(all.n_answers, 4);
  EXPECT_EQ(all.n_generated, 5 + 6 + 6);
  EXPECT_EQ(all.n_used_pages, 0);
  EXPECT_EQ(all.n_running, 0);
}

// One thread serves all: it waits for any of them, never for one.
TEST(EngineThread, AnEventLoopReadsManyAnswers) {
  FakeExecutor executor({.max_rows = 32, .n_pages = 400});
  EngineThread engine(executor, options());
  constexpr int kAnswers = 64, kTokens = 12;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> ready;  // answers that have something to read
  std::vector<EngineThread::Ticket> tickets;
  for (int i = 0; i < kAnswers; ++i) {
    tickets.push_back(std::move(tickets_of(engine, asked(i % 50, kTokens))[0]));
    tickets.back().on_ready([&, i] {
      const std::lock_guard lock(mutex);
      ready.push_back(i);
      changed.notify_one();
    });
  }
  std::vector<std::vector<int32_t>> ids(kAnswers);
  for (int n_over = 0; n_over < kAnswers;) {
    std::vector<int> woken;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return !ready.empty(); });
      woken.swap(ready);
    }
    for (const int i : woken) {
      const auto output = tickets[i].try_take();
      ASSERT_TRUE(output) << "told of nothing";
      ids[i].insert(ids[i].end(), output->ids.begin(), output->ids.end());
      n_over += output->finished();
    }
  }
  for (int i = 0; i < kAnswers; ++i) EXPECT_EQ(ids[i], expected(i % 50, kTokens)) << i;
}

TEST(EngineThread, SeveralAnswersHaveATicketEach) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  Request r = asked(4, 9);
  r.options.n = 3;
  auto tickets = tickets_of(engine, r);
  ASSERT_EQ(tickets.size(), 3u);
  for (int i = 2; i >= 0; --i) {
    Request single = asked(4, 9);
    single.options.sampling.seed += static_cast<uint64_t>(i);
    std::vector<int32_t> ids;
    while (const auto output = tickets[i].take())
      ids.insert(ids.end(), output->ids.begin(), output->ids.end());
    EXPECT_EQ(ids, alone(single).ids);
  }
}

TEST(EngineThread, AReaderThatStallsHoldsUpItselfOnly) {
  FakeExecutor executor({.max_rows = 16, .page_tokens = 16, .n_pages = 128});
  EngineThread engine(executor, options());
  auto slow = tickets_of(engine, asked(1, 1000));
  EXPECT_EQ(engine.generate(asked(2, 900), {})->ids, expected(2, 900));
  std::vector<int32_t> ids;
  const auto first = slow[0].take();
  ASSERT_TRUE(first);
  EXPECT_LT(first->ids.size(), Reply::kMostUnread + 64);  // it stopped there
  ids = first->ids;
  while (const auto output = slow[0].take())
    ids.insert(ids.end(), output->ids.begin(), output->ids.end());
  EXPECT_EQ(ids, alone(asked(1, 1000), {.max_rows = 512, .page_tokens = 16, .n_pages = 256}).ids);
}

TEST(EngineThread, TakeWaitsUntilATimeAtMost) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  auto tickets = tickets_of(engine, asked(1, 2));
  while (tickets[0].take()) {
  }
  EXPECT_FALSE(tickets[0].take(std::chrono::steady_clock::now()));
}

TEST(EngineThread, ADeadlinePassesWhileNothingElseHappens) {
  FakeExecutor executor({});
  EngineThread engine(executor, options());
  Request r = asked(1, 3000);
  r.options.deadline_ms = 30;
  auto tickets = tickets_of(engine, r);  // it stops when no one reads, or at the end of the cache
  std::optional<Finish> finish;
  while (const auto output = tickets[0].take()) {
    finish = output->finish;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(finish == Finish::deadline || finish == Finish::length);
}

TEST(EngineThread, ATicketThatGoesCancelsAndMayOutliveTheEngine) {
  FakeExecutor executor({.page_tokens = 16, .n_pages = 64});
  std::vector<EngineThread::Ticket> kept;
  {
    EngineThread engine(executor, options());
    { auto dropped = tickets_of(engine, asked(1, 1000)); }
    while (engine.call([](Engine& e) { return e.n_free_pages(); }) != 64) std::this_thread::yield();
    kept = tickets_of(engine, asked(2, 1000));
  }
  std::optional<Finish> finish;
  while (const auto output = kept[0].take()) finish = output->finish;
  EXPECT_EQ(finish, Finish::cancelled);
  kept[0].cancel();
}

// Callers that submit, read, stall, cancel and score at random; for the thread sanitizer too.
TEST(EngineThread, SurvivesARandomCrowd) {
  FakeExecutor executor({.max_rows = 32, .n_pages = 60});
  EngineOptions o = options();
  o.max_waiting = 6;
  EngineThread engine(executor, o);
  std::atomic<int> n_done = 0, n_refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 60; ++i) {
        const auto first = static_cast<int32_t>(random() % 50);
        if (random() % 8 == 0) {
          const std::vector<int32_t> tokens{first, 1, 2};
          EXPECT_TRUE(engine.call([&](Engine& e) {
            return e.score(tokens, 0, [](int64_t, std::span<const float>) { return true; });
          }));
        }
        auto tickets = engine.submit(asked(first, 15));
        if (!tickets) {
          EXPECT_EQ(tickets.error().code, Code::queue_full);
          ++n_refused;
          continue;
        }
        std::vector<int32_t> ids;
        bool whole = true;
        while (const auto output = (*tickets)[0].take()) {
          ids.insert(ids.end(), output->ids.begin(), output->ids.end());
          if (output->finish) whole = *output->finish == Finish::length;
          if (random() % 40 == 0) (*tickets)[0].cancel();
          if (random() % 60 == 0) break;  // and never read on
          if (whole && output->finish) ++n_done;
        }
        const auto all = expected(first, 15);
        ASSERT_LE(ids.size(), all.size());
        EXPECT_TRUE(std::equal(ids.begin(), ids.end(), all.begin()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(n_done, 50);
  while (engine.call([](Engine& e) { return e.n_free_pages(); }) != 60) std::this_thread::yield();
}

}  // namespace
}  // namespace quern
