#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <numeric>

namespace quern {
namespace {

std::unique_ptr<ThreadPool> pool_of(int n_threads, bool pin = false) {
  auto pool = ThreadPool::start(n_threads, pin);
  EXPECT_TRUE(pool);
  return std::move(*pool);
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryThreadRunsOnceAndTheCallerIsThreadZero) {
  const int n = GetParam();
  auto pool = pool_of(n);
  for (int region = 0; region < 50; ++region) {
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

// Each thread writes its cell, all read all cells, in turns: any barrier passed too early shows as
// a wrong sum (and as a race under the thread sanitizer).
TEST_P(ThreadPoolTest, BarriersSeparateTheSteps) {
  const int n = GetParam();
  auto pool = pool_of(n);
  for (int region = 0; region < 5; ++region) {
    std::vector<int64_t> cells(n), wrong(n);
    pool->run([&](int thread, int) {
      for (int step = 0; step < 200; ++step) {
        cells[thread] = step + thread;
        pool->barrier();
        const int64_t sum = std::accumulate(cells.begin(), cells.end(), int64_t{0});
        wrong[thread] += sum != int64_t{n} * step + n * (n - 1) / 2;
        pool->barrier();
      }
    });
    EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), int64_t{0}), 0);
  }
}

TEST_P(ThreadPoolTest, ManyShortRegionsLoseNoWakeUp) {
  const int n = GetParam();
  auto pool = pool_of(n);
  int64_t total = 0;
  std::vector<int64_t> cells(n);
  for (int region = 0; region < 2000; ++region) {
    pool->run([&](int thread, int) { cells[thread] = region; });
    total += std::accumulate(cells.begin(), cells.end(), int64_t{0});
  }
  EXPECT_EQ(total, int64_t{n} * 1999 * 2000 / 2);
}

// Pauses of different lengths: the workers are met spinning, yielding, falling asleep and asleep.
TEST_P(ThreadPoolTest, WakesFromEveryDepthOfSleep) {
  const int n = GetParam();
  auto pool = pool_of(n);
  std::atomic<int> calls{0};
  for (int us : {0, 20, 50, 80, 100, 120, 150, 200, 300, 1000, 3000}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::this_thread::sleep_for(std::chrono::microseconds(us));
      pool->run([&](int thread, int) {
        if (thread == n - 1) std::this_thread::sleep_for(std::chrono::microseconds(us));
        pool->barrier();
        ++calls;
      });
    }
  }
  EXPECT_EQ(calls.load(), n * 55);
}

TEST_P(ThreadPoolTest, MadeAndDestroyedOverAndOver) {
  const int n = GetParam();
  for (int i = 0; i < 50; ++i) {
    auto pool = pool_of(n, i % 2 == 1);
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
