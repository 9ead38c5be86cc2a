#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>

#include "base/cpu_list.h"
#include "support/emulated.h"

namespace quern {
namespace {

std::unique_ptr<ThreadPool> pool_of(int n_threads, std::vector<int> cpus = {}) {
  auto pool = ThreadPool::start(n_threads, std::move(cpus));
  EXPECT_TRUE(pool);
  return std::move(*pool);
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryThreadRunsOnceAndTheCallerIsThreadZero) {
  const int n = GetParam();
  auto pool = pool_of(n);
  for (int region = 0; region < at_most_if_emulated(50, 10); ++region) {
    std::vector<int> calls(n);  // plain ints: run() itself must order the accesses
    std::thread::id zero;
    pool->run([&](int thread, int n_threads) {
      EXPECT_EQ(n_threads, n);
      ++calls[thread];
      if (thread == 0) zero = std::this_thread::get_id();
    });
    EXPECT_EQ(calls, std::vector<int>(n, 1));
    EXPECT_EQ(zero, std::this_thread::get_id());
  }
}

// In every turn the threads take pieces, each of which looks at what the turn before left: a turn
// that begins too early, or a piece lost or done twice, gives a wrong sum (and as a race under the
// thread sanitizer).
TEST_P(ThreadPoolTest, ATurnBeginsWhenAllPiecesOfTheLastAreDone) {
  constexpr int kPieces = 7;
  const int n_turns = at_most_if_emulated(300, 30);
  auto pool = pool_of(GetParam());
  for (int region = 0; region < 5; ++region) {
    std::vector<std::atomic<int>> next(n_turns);
    std::vector<std::vector<int64_t>> values(n_turns, std::vector<int64_t>(kPieces));
    std::atomic<int> wrong{0};
    const auto n_pieces = [](int turn) { return int64_t{turn % 3 == 2 ? 0 : kPieces}; };
    pool->run_turns(n_turns, n_pieces, [&](int, int turn) {
      int64_t done = 0;
      for (int i = next[turn]++; i < kPieces; i = next[turn]++, ++done) {
        const int before = turn % 3 == 0 ? turn - 2 : turn - 1;  // every third has no pieces
        const int64_t expected = before < 0 ? 0 : int64_t{kPieces} * (before + 1);
        const int64_t sum =
            before < 0 ? 0
                       : std::accumulate(values[before].begin(), values[before].end(), int64_t{0});
        wrong += sum != expected;
        values[turn][i] = turn + 1;
      }
      return done;
    });
    EXPECT_EQ(wrong.load(), 0);
    for (int turn = 0; turn < n_turns; ++turn) {
      const int64_t sum = std::accumulate(values[turn].begin(), values[turn].end(), int64_t{0});
      EXPECT_EQ(sum, n_pieces(turn) * (turn + 1));
    }
  }
}

// The pool does not wait for a thread that holds no piece: here one enters a turn, takes nothing
// and stays until the others have done everything.
TEST(ThreadPool, DoesWithoutAThreadThatHoldsNothing) {
  constexpr int kTurns = 50;
  auto pool = pool_of(2);
  std::atomic<int> n_done{0};
  bool was_last = true;
  pool->run_turns(
      kTurns, [](int) { return int64_t{1}; },
      [&](int thread, int) -> int64_t {
        if (thread == 0) return ++n_done, 1;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (n_done < kTurns && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        was_last = n_done == kTurns;
        return 0;
      });
  EXPECT_EQ(n_done.load(), kTurns);
  EXPECT_TRUE(was_last);
}

TEST_P(ThreadPoolTest, ARegionWithoutPiecesIsOverAtOnce) {
  auto pool = pool_of(GetParam());
  const auto none = [](int) { return int64_t{0}; };
  const auto never = [](int, int) -> int64_t {
    ADD_FAILURE();
    return 0;
  };
  for (int n_turns : {0, 1, 5}) pool->run_turns(n_turns, none, never);
  std::atomic<int> calls{0};
  pool->run([&](int, int) { ++calls; });
  EXPECT_EQ(calls.load(), GetParam());
}

TEST_P(ThreadPoolTest, ManyShortRegionsLoseNoWakeUp) {
  const int n = GetParam();
  auto pool = pool_of(n);
  int64_t total = 0;
  std::vector<int64_t> cells(n);
  const int64_t n_regions = at_most_if_emulated(2000, 100);
  for (int region = 0; region < n_regions; ++region) {
    pool->run([&](int thread, int) { cells[thread] = region; });
    total += std::accumulate(cells.begin(), cells.end(), int64_t{0});
  }
  EXPECT_EQ(total, n * (n_regions - 1) * n_regions / 2);
}

// Pauses of different lengths: the workers are met spinning, falling asleep and asleep.
TEST_P(ThreadPoolTest, WakesFromEveryDepthOfSleep) {
  const int n = GetParam();
  auto pool = pool_of(n);
  std::atomic<int> calls{0};
  const int n_repeats = at_most_if_emulated(5, 1);
  for (int us : {0, 20, 50, 80, 100, 120, 150, 200, 300, 1000, 3000}) {
    for (int repeat = 0; repeat < n_repeats; ++repeat) {
      std::this_thread::sleep_for(std::chrono::microseconds(us));
      pool->run([&](int thread, int) {
        if (thread == n - 1) std::this_thread::sleep_for(std::chrono::microseconds(us));
        ++calls;
      });
    }
  }
  EXPECT_EQ(calls.load(), n * 11 * n_repeats);
}

TEST_P(ThreadPoolTest, MadeAndDestroyedOverAndOver) {
  const int n = GetParam();
  for (int i = 0; i < at_most_if_emulated(50, 12); ++i) {
    auto pool = pool_of(n, i % 2 == 1 ? allowed_cpus() : std::vector<int>());
    if (i % 3 == 0) continue;  // never used
    std::atomic<int> calls{0};
    pool->run([&](int, int) { ++calls; });
    EXPECT_EQ(calls.load(), n);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 5, 8));

TEST(ThreadPool, TakesConstFunctions) {
  auto pool = pool_of(2);
  std::atomic<int> calls{0};
  const auto fn = [&calls](int, int) { ++calls; };
  pool->run(fn);
  EXPECT_EQ(calls.load(), 2);
}

TEST(ThreadPool, RefusesSenselessSizes) {
  for (int n : {0, -1, ThreadPool::kMaxThreads + 1}) {
    const auto pool = ThreadPool::start(n);
    ASSERT_FALSE(pool);
    EXPECT_EQ(pool.error().code, Code::invalid_argument);
  }
}

// Processor time of the whole process while the pool has nothing to do: asleep after its short
// spin, so a small part of the second on four workers rather than all of it.
TEST(ThreadPool, AnIdlePoolSleeps) {
  auto pool = pool_of(4);
  pool->run([](int, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10);
}

#if defined(__linux__)
TEST(ThreadPool, KeepsThreadsWhereItIsTold) {
  const std::vector<int> before = allowed_cpus();
  std::thread([&] {  // a caller of its own, as it stays pinned
    auto pool = pool_of(4, before);
    std::vector<std::vector<int>> found(4);
    pool->run([&](int thread, int) { found[thread] = allowed_cpus(); });
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(found[i], std::vector<int>{before[i % before.size()]});
  })
      .join();
  EXPECT_EQ(allowed_cpus(), before);
}

// A preempted thread that holds a piece is moved by a waiting one; afterwards all threads, the
// caller's too, have their former affinity masks.
TEST(ThreadPool, LeavesThreadsFreeToRunWhereTheyMight) {
  const std::vector<int> before = allowed_cpus();
  auto pool = pool_of(3);
  for (int region = 0; region < at_most_if_emulated(20, 4); ++region) {
    std::vector<std::atomic<int>> next(4);
    pool->run_turns(
        4, [](int) { return int64_t{3}; },
        [&](int thread, int turn) {
          int64_t done = 0;
          for (; next[turn]++ < 3; ++done)  // long enough for the others to look
            if (thread == turn % 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          return done;
        });
    EXPECT_EQ(allowed_cpus(), before);
  }
  // A thread that was moved in a region returns at its end: on a busy machine that may be any
  // region.
  std::vector<std::vector<int>> after(3);
  const auto all_home = [&] { return std::ranges::count(after, before) == 3; };
  for (int region = 0; region < 1000 && !all_home(); ++region)
    pool->run([&](int thread, int) { after[thread] = allowed_cpus(); });
  EXPECT_TRUE(all_home());
}

// The two do not interfere: a mask that one sets for a moment is not taken for the thread's own by
// the other.
TEST(ThreadPlace, IsFetchedWhileItMovesOff) {
  const std::vector<int> before = allowed_cpus();
  ThreadPlace place;
  std::atomic<int> stage{0};
  std::vector<int> after;
  std::thread other([&] {
    place.settle();
    stage = 1;
    for (int i = 0; i < at_most_if_emulated(2000, 100); ++i) {
      place.move_off({});
      place.go_home();
    }
    stage = 2;
    while (stage == 2) std::this_thread::yield();
    place.go_home();
    after = allowed_cpus();
  });
  while (stage == 0) std::this_thread::yield();
  while (stage == 1) place.fetch_here();
  stage = 3;
  other.join();
  EXPECT_EQ(after, before);
}

TEST(ThreadPlace, MovesAThreadAndLetsItGoHome) {
  const std::vector<int> before = allowed_cpus();
  if (before.size() < 2) GTEST_SKIP() << "one processor";
  ThreadPlace place;
  std::atomic<int> stage{0};
  std::vector<int> there, back;
  bool away_first = true, away_then = false, away_last = true;
  std::thread other([&] {
    place.settle();
    away_first = place.is_away();
    stage = 1;
    while (stage == 1) std::this_thread::yield();
    there = allowed_cpus();
    away_then = place.is_away();
    place.go_home();
    away_last = place.is_away();
    back = allowed_cpus();
  });
  while (stage == 0) std::this_thread::yield();
  place.fetch_here();
  place.fetch_here();  // once is enough
  stage = 2;
  other.join();
  EXPECT_FALSE(away_first);
  EXPECT_TRUE(away_then);
  EXPECT_FALSE(away_last);
  EXPECT_EQ(there.size(), 1u);
  EXPECT_EQ(back, before);
}

// Two busy threads on one processor interrupt each other.
TEST(ThreadPlace, TellsThatAThreadWasInterrupted) {
  ThreadPlace place;
  std::atomic<int> stage{0};
  std::thread other([&] {
    place.settle();
    stage = 1;
    while (stage == 1) {
    }
    place.go_home();
  });
  while (stage == 0) std::this_thread::yield();
  place.fetch_here();
  place.was_interrupted();
  bool interrupted = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!interrupted && std::chrono::steady_clock::now() < end)
    interrupted = place.was_interrupted();
  EXPECT_TRUE(interrupted);
  stage = 2;
  other.join();
}
#endif

TEST(ThreadPoolDeathTest, ARegionInsideARegionIsABug) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto pool = pool_of(2);
        pool->run([&](int thread, int) {
          if (thread == 0) pool->run([](int, int) {});
        });
      },
      "inside or beside");
}

}  // namespace
}  // namespace quern
