#include "backend/cpu/work_queue.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quern::cpu {
namespace {

TEST(WorkQueues, HandOutEveryItemOnceFromTheFrontOfTheOwnShare) {
  WorkQueues queues(3);
  for (int thread = 0; thread < 3; ++thread) queues.open(7, thread, 20);
  std::vector<int> seen(20);
  for (int64_t next = share(20, 1, 3).first; next < share(20, 1, 3).last;) {
    const Range r = queues.take(7, 1, 2);
    EXPECT_EQ(r.first, next);
    for (next = r.first; next < r.last; ++next) ++seen[next];
  }
  // Then from the far ends of the others.
  Range r = queues.take(7, 1, 2);
  EXPECT_TRUE(r.last == share(20, 0, 3).last || r.last == 20);
  for (; !r.empty(); r = queues.take(7, 1, 2))
    for (int64_t i = r.first; i < r.last; ++i) ++seen[i];
  for (const int n : seen) EXPECT_EQ(n, 1);
  EXPECT_TRUE(queues.take(7, 0, 1).empty());
}

TEST(WorkQueues, OpenTheNextStepWhileThisOneRuns) {
  WorkQueues queues(2);
  for (int thread = 0; thread < 2; ++thread) queues.open(1, thread, 4);
  for (int thread = 0; thread < 2; ++thread) queues.open(2, thread, 6);
  int n = 0;
  for (Range r = queues.take(1, 0, 8); !r.empty(); r = queues.take(1, 0, 8)) n += r.last - r.first;
  EXPECT_EQ(n, 4);
  n = 0;
  for (Range r = queues.take(2, 1, 1); !r.empty(); r = queues.take(2, 1, 1)) n += r.last - r.first;
  EXPECT_EQ(n, 6);
}

TEST(WorkQueues, LoseAndDoubleNothingBetweenThreads) {
  constexpr int kThreads = 4, kItems = 20000;
  WorkQueues queues(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) queues.open(0, thread, kItems);
  std::vector<std::atomic<int>> seen(kItems);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (Range r = queues.take(0, thread, 1 + thread); !r.empty();
           r = queues.take(0, thread, 1 + thread))
        for (int64_t i = r.first; i < r.last; ++i) seen[i].fetch_add(1);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& n : seen) EXPECT_EQ(n.load(), 1);
}

}  // namespace
}  // namespace quern::cpu
