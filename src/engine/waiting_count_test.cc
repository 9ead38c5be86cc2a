#include "engine/waiting_count.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quern {
namespace {

TEST(WaitingCount, ServesAllOrNone) {
  const auto count = std::make_shared<WaitingCount>(3);
  auto two = WaitingCount::take(count, 2);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_TRUE(WaitingCount::take(count, 2).empty());
  EXPECT_EQ(WaitingCount::take(count, 1).size(), 1u);  // given back at once
  EXPECT_EQ(count->n(), 2);
  two[0].release();
  two[0].release();
  EXPECT_EQ(count->n(), 1);
  WaitingCount::Place moved = std::move(two[1]);
  two.clear();
  EXPECT_EQ(count->n(), 1);
  moved = WaitingCount::Place();
  EXPECT_EQ(count->n(), 0);
  EXPECT_TRUE(WaitingCount::take(count, 4).empty());
}

TEST(WaitingCount, IsExactAmongThreads) {
  const auto count = std::make_shared<WaitingCount>(5);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        const auto places = WaitingCount::take(count, 1 + (i + t) % 3);
        EXPECT_LE(count->n(), 5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count->n(), 0);
}

}  // namespace
}  // namespace quern
