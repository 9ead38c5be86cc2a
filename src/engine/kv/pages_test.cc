#include "engine/kv/pages.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace quern {
namespace {

// Of one group whose rows see all.
class Pools : public CachePools {
 public:
  explicit Pools(int n_pages, int page_tokens = 2)
      : CachePools(page_tokens, std::vector<CacheGroup>{{.name = "full", .n_pages = n_pages}}, 0) {}
};

TEST(PagePool, TakesTheLastReleasedFirst) {
  PagePool pool(3);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  pool.release(0);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.n_free(), 1);
}

TEST(PagePool, APageIsFreeWhenTheLastHolderLetsGo) {
  PagePool pool(2);
  const int32_t page = pool.take();
  pool.hold(page);
  EXPECT_EQ(pool.n_holders(page), 2);
  pool.release(page);
  EXPECT_EQ(pool.n_free(), 1);
  pool.release(page);
  EXPECT_EQ(pool.n_free(), 2);
}

TEST(PagePool, PagesOfTheCacheAloneAreIdleInTheOrderTheyBecameSo) {
  PagePool pool(3);
  for (int32_t page = 0; page < 3; ++page) pool.cache(pool.take());
  EXPECT_EQ(pool.oldest_idle(), -1);
  for (const int32_t page : {2, 0, 1}) pool.release(page);
  EXPECT_EQ(pool.n_idle(), 3);
  EXPECT_EQ(pool.oldest_idle(), 2);
  pool.hold(2);
  EXPECT_EQ(pool.oldest_idle(), 0);
  pool.release(2);
  pool.uncache(0);
  EXPECT_EQ(pool.oldest_idle(), 1);
  pool.uncache(1);
  EXPECT_EQ(pool.oldest_idle(), 2);
  EXPECT_EQ(pool.n_free(), 2);
  pool.hold(2);
  pool.uncache(2);  // its holder stays
  EXPECT_EQ(pool.n_idle(), 0);
  EXPECT_EQ(pool.n_free(), 2);
}

TEST(PagePoolDeathTest, StopsAtABug) {
  PagePool pool(1);
  EXPECT_DEATH(pool.hold(0), "taken, not held");
  const int32_t page = pool.take();
  EXPECT_DEATH(pool.take(), "free pages");
  EXPECT_DEATH(pool.uncache(page), "only a cached page");
  pool.cache(page);
  EXPECT_DEATH(pool.cache(page), "once");
  pool.release(page);
  EXPECT_DEATH(pool.release(page), "only a held page");  // the cache's hand is not ours
  pool.uncache(page);
  EXPECT_DEATH(pool.release(page), "only a held page");
  EXPECT_DEATH(pool.release(1), "below n_pages");
}

TEST(PageTable, GrowsAndShrinksByWholePages) {
  Pools pools(4, 8);
  const PagePool& pool = pools[0];
  PageTable table(pools);
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
  Pools pools(4);
  PagePool& pool = pools[0];
  PageTable a(pools), b(pools);
  a.grow(2);
  b.grow(1);
  a = std::move(b);
  EXPECT_EQ(pool.n_free(), 3);
  EXPECT_EQ(a.pages().size(), 1u);
  EXPECT_TRUE(b.pages().empty());  // NOLINT: moved-from is empty
}

TEST(PageTable, ItsFirstPagesMayBeShared) {
  Pools pools(4);
  PagePool& pool = pools[0];
  PageTable a(pools), b(pools);
  a.grow(5);
  EXPECT_TRUE(a.may_write(0));
  a.share(0, a.row(0));
  EXPECT_FALSE(a.may_write(1));
  EXPECT_TRUE(a.may_write(2));
  b.add_shared(a.row(0));
  b.grow(3);
  EXPECT_EQ(pool.n_free(), 0);
  EXPECT_EQ(b.n_shared(), 1);
  a.shrink(0);
  EXPECT_EQ(a.n_shared(), 0);
  EXPECT_EQ(pool.n_free(), 2);
  EXPECT_EQ(pool.n_holders(b.pages()[0]), 1);
}

TEST(PageTable, ChangesOverToAPageOfOthers) {
  Pools pools(4);
  PagePool& pool = pools[0];
  PageTable a(pools), b(pools);
  a.grow(2);
  b.grow(4);
  b.share(0, a.row(0));
  EXPECT_EQ(b.pages()[0], a.pages()[0]);
  EXPECT_EQ(pool.n_free(), 2);
  EXPECT_EQ(pool.n_holders(a.pages()[0]), 2);
}

TEST(PageTableDeathTest, StopsAtABug) {
  Pools pools(4);
  PageTable a(pools), b(pools);
  a.grow(4);
  b.grow(1);
  EXPECT_DEATH(a.share(1, a.row(1)), "before a sequence's own");
  EXPECT_DEATH(a.add_shared(b.row(0)), "before a sequence's own");
  PageRow nobodys = no_pages();
  nobodys[0] = 3;
  EXPECT_DEATH(a.add_own(nobodys), "in no other hand");
}

TEST(PagesProperty, NoPageIsInTwoWritableHandsAndAllComeBack) {
  std::mt19937 random(3);
  Pools pools(40);
  PagePool& pool = pools[0];
  {
    std::vector<PageTable> tables;
    for (int i = 0; i < 9; ++i) tables.emplace_back(pools);
    for (int step = 0; step < 20000; ++step) {
      PageTable& table = tables[random() % tables.size()];
      PageTable& other = tables[random() % tables.size()];
      const int n_tokens = static_cast<int>(random() % 30);
      switch (random() % 5) {
        case 0:
          if (table.missing(n_tokens) <= pool.n_free()) table.grow(n_tokens);
          break;
        case 1:
          table.shrink(n_tokens);
          break;
        case 2:
          table = std::move(other);
          break;
        case 3:
          if (table.n_shared() < std::ssize(table.pages()))
            table.share(table.n_shared(), table.row(table.n_shared()));
          break;
        case 4:
          if (&other != &table) table.shrink(0);
          if (table.pages().empty())
            for (int i = 0; i < other.n_shared(); ++i) table.add_shared(other.row(i));
          break;
      }
      std::map<int32_t, int> held;
      std::set<int32_t> own;
      for (const PageTable& t : tables) {
        for (const int32_t page : t.pages()) ++held[page];
        for (const int32_t page : t.pages().subspan(t.n_shared()))
          ASSERT_TRUE(own.insert(page).second);
      }
      for (const int32_t page : own) ASSERT_EQ(held[page], 1);
      for (const auto& [page, n] : held) ASSERT_EQ(pool.n_holders(page), n);
      ASSERT_EQ(static_cast<int>(held.size()) + pool.n_free(), 40);
    }
  }
  EXPECT_EQ(pool.n_free(), 40);
}

}  // namespace
}  // namespace quern
