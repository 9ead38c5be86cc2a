#include "backend/cpu/work_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/threads.h"
#include "support/emulated.h"

namespace quern::cpu {
namespace {

// Every item of every part has one owner: the thread whose share of the whole range holds it.
TEST(ShareOfPart, GivesItemsToThoseWhoOwnThemInTheLine) {
  const int64_t parts[] = {18, 6, 0, 1, 6};
  for (int n_threads = 1; n_threads < 10; ++n_threads) {
    int64_t first = 0, all = 0;
    for (const int64_t n : parts) all += n;
    for (const int64_t n : parts) {
      std::vector<int> owners(static_cast<size_t>(n), -1);
      for (int thread = 0; thread < n_threads; ++thread) {
        const Range mine = share_of_part(all, first, n, thread, n_threads);
        for (int64_t i = mine.first; i < mine.last; ++i) {
          EXPECT_EQ(owners[i], -1);
          owners[i] = thread;
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        const Range owner = share(all, owners[i], n_threads);
        EXPECT_TRUE(owner.first <= first + i && first + i < owner.last);
      }
      first += n;
    }
  }
}

TEST(WorkQueues, HandOutEveryItemOnceFromTheFrontOfTheOwnShare) {
  WorkQueues queues(3);
  std::vector<int> seen(20);
  for (int64_t next = share(20, 1, 3).first; next < share(20, 1, 3).last;) {
    const Range r = queues.take(7, 1, 20, 2);
    EXPECT_EQ(r.first, next);
    for (next = r.first; next < r.last; ++next) ++seen[next];
  }
  // Then it steals from the ends of the other shares.
  Range r = queues.take(7, 1, 20, 2);
  EXPECT_TRUE(r.last == share(20, 0, 3).last || r.last == 20);
  for (; !r.empty(); r = queues.take(7, 1, 20, 2))
    for (int64_t i = r.first; i < r.last; ++i) ++seen[i];
  for (const int n : seen) EXPECT_EQ(n, 1);
  EXPECT_TRUE(queues.take(7, 0, 20, 1).empty());
}

int64_t take_all(WorkQueues& queues, uint16_t turn, int thread, int64_t n_items) {
  int64_t n = 0;
  for (Range r = queues.take(turn, thread, n_items, 3); !r.empty();
       r = queues.take(turn, thread, n_items, 3))
    n += r.last - r.first;
  return n;
}

// Turns of many sizes, those with fewer items than threads among them, and more turns than their
// numbers have bits: one thread does everything, while the other is away.
TEST(WorkQueues, OpenByThemselvesTurnAfterTurn) {
  WorkQueues queues(3);
  for (int turn = 1; turn < at_most_if_emulated(200000, 70000); ++turn) {
    const int64_t n_items = turn % 7;
    ASSERT_EQ(take_all(queues, static_cast<uint16_t>(turn), turn % 5 == 0 ? 2 : 0, n_items),
              n_items)
        << turn;
  }
}

TEST(WorkQueues, GiveNothingToWhoComesWithATurnThatIsOver) {
  WorkQueues queues(2);
  EXPECT_EQ(take_all(queues, 1, 0, 10), 10);
  EXPECT_EQ(queues.take(2, 0, 10, 1).first, 0);
  EXPECT_EQ(take_all(queues, 1, 1, 10), 0);
  EXPECT_EQ(take_all(queues, 2, 1, 10), 9);
}

TEST(WorkQueues, HoldTheMostItems) {
  WorkQueues queues(2);
  const int64_t n = WorkQueues::kMaxItems;
  EXPECT_EQ(queues.take(1, 0, n, n).last, n / 2);
  const Range rest = queues.take(1, 0, n, n);
  EXPECT_EQ(rest.first, n / 2);
  EXPECT_EQ(rest.last, n);
}

#if QUERN_THREADS
TEST(WorkQueues, LoseAndDoubleNothingBetweenThreads) {
  constexpr int kThreads = 4, kItems = 20000;
  WorkQueues queues(kThreads);
  std::vector<std::atomic<int>> seen(kItems);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (Range r = queues.take(1, thread, kItems, 1 + thread); !r.empty();
           r = queues.take(1, thread, kItems, 1 + thread))
        for (int64_t i = r.first; i < r.last; ++i) seen[i].fetch_add(1);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& n : seen) EXPECT_EQ(n.load(), 1);
}
#endif

}  // namespace
}  // namespace quern::cpu
