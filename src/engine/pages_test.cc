#include "engine/pages.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "engine/kept_prefixes.h"

namespace quern {
namespace {

TEST(PagePool, TakesTheLastGivenBackFirst) {
  PagePool pool(3);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  pool.give_back(0);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.n_free(), 1);
}

TEST(PagePoolDeathTest, StopsAtABug) {
  PagePool pool(1);
  const int32_t page = pool.take();
  EXPECT_DEATH(pool.take(), "free pages");
  pool.give_back(page);
  EXPECT_DEATH(pool.give_back(page), "only a held page");
  EXPECT_DEATH(pool.give_back(1), "only a held page");
}

TEST(PageTable, GrowsAndShrinksByWholePages) {
  PagePool pool(4);
  PageTable table(pool, 8);
  EXPECT_EQ(table.missing(17), 3);
  table.grow(17);
  EXPECT_EQ(table.pages().size(), 3u);
  table.grow(24);
  EXPECT_EQ(table.pages().size(), 3u);
  table.shrink(16);
  EXPECT_EQ(table.pages().size(), 2u);
  table.shrink(15);
  EXPECT_EQ(table.pages().size(), 2u);
  EXPECT_EQ(pool.n_free(), 2);
}

TEST(PageTable, MovesItsPages) {
  PagePool pool(4);
  PageTable a(pool, 1), b(pool, 1);
  a.grow(2);
  b.grow(1);
  a = std::move(b);
  EXPECT_EQ(pool.n_free(), 3);
  EXPECT_EQ(a.pages().size(), 1u);
  EXPECT_TRUE(b.pages().empty());  // NOLINT: moved-from is empty
}

TEST(PagesProperty, NoPageIsInTwoTablesAndAllComeBack) {
  std::mt19937 random(3);
  PagePool pool(40);
  {
    std::vector<PageTable> tables;
    for (int i = 0; i < 9; ++i) tables.emplace_back(pool, 1 + i % 3);
    for (int step = 0; step < 20000; ++step) {
      PageTable& table = tables[random() % tables.size()];
      const int n_tokens = static_cast<int>(random() % 30);
      switch (random() % 3) {
        case 0:
          if (table.missing(n_tokens) <= pool.n_free()) table.grow(n_tokens);
          break;
        case 1:
          table.shrink(n_tokens);
          break;
        case 2:
          table = std::move(tables[random() % tables.size()]);
          break;
      }
      std::set<int32_t> held;
      for (const PageTable& t : tables) {
        for (const int32_t page : t.pages()) ASSERT_TRUE(held.insert(page).second);
      }
      ASSERT_EQ(static_cast<int>(held.size()) + pool.n_free(), 40);
    }
  }
  EXPECT_EQ(pool.n_free(), 40);
}

class KeptPrefixesTest : public testing::Test {
 protected:
  void keep(std::vector<int32_t> tokens) {
    PageTable pages(pool_, 2);
    pages.grow(static_cast<int>(tokens.size()));
    kept_.keep({std::move(tokens), std::move(pages)});
  }
  int take(std::vector<int32_t> prompt) { return kept_.take(prompt, taken_); }

  PagePool pool_{20};
  KeptPrefixes kept_{3};
  PageTable taken_{pool_, 2};
};

TEST_F(KeptPrefixesTest, GivesTheLongestSharedPrefixOnce) {
  keep({1, 2, 3});
  keep({1, 2, 3, 4, 5});
  EXPECT_EQ(take({1, 2, 3, 4, 5, 6}), 5);
  EXPECT_EQ(taken_.pages().size(), 3u);
  EXPECT_EQ(kept_.n_pages(), 2);
  EXPECT_EQ(take({1, 2, 3, 4, 5, 6}), 3);
  EXPECT_EQ(take({1, 2, 3, 4, 5, 6}), 0);
}

TEST_F(KeptPrefixesTest, LeavesOneTokenToCompute) {
  keep({1, 2, 3, 4});
  EXPECT_EQ(take({1, 2, 3}), 2);
  EXPECT_EQ(taken_.pages().size(), 1u);
  EXPECT_EQ(pool_.n_free(), 19);
}

TEST_F(KeptPrefixesTest, DoesNotThrowAwayMoreThanItSaves) {
  keep({1, 2, 3, 4, 5});
  EXPECT_EQ(take({1, 2, 9, 9}), 0);
  EXPECT_EQ(kept_.n_pages(), 3);
  EXPECT_EQ(take({1, 2, 3, 9}), 3);
}

TEST_F(KeptPrefixesTest, DropsTheOldest) {
  for (int32_t i = 0; i < 4; ++i) keep({i, 7});
  EXPECT_EQ(take({0, 7, 8}), 0);
  EXPECT_EQ(take({1, 7, 8}), 2);
  EXPECT_TRUE(kept_.drop_oldest());
  EXPECT_EQ(take({2, 7, 8}), 0);
  EXPECT_TRUE(kept_.drop_oldest());
  EXPECT_FALSE(kept_.drop_oldest());
}

TEST_F(KeptPrefixesTest, KeepsNothingOfNothing) {
  keep({});
  EXPECT_FALSE(kept_.drop_oldest());
  EXPECT_EQ(take({1}), 0);
}

}  // namespace
}  // namespace quern
