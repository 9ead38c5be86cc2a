#include "engine/kv/prefix_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/fake_executor.h"

namespace quern {
namespace {

using Keys = std::vector<int32_t>;

// A tree over pages whose bytes say which keys were computed into them, and under which salt.
class Tree {
 public:
  explicit Tree(int n_pages = 64, int tokens = 2, int most_idle = 1 << 20)
      : page_tokens(tokens),
        executor({.page_tokens = tokens, .n_pages = n_pages}),
        pools(executor),
        pool(pools[0]),
        tree(pools, executor, most_idle) {}

  PageTable table() { return PageTable(pools); }

  static int32_t content(const std::string& salt, int32_t key) {
    return key * 31 + static_cast<int32_t>(salt.size());
  }

  // As a forward pass does: keys[from..] into the table's pages.
  void compute(const std::string& salt, const Keys& keys, int from, PageTable& table) {
    for (int i = from; i < std::ssize(keys); ++i) {
      CHECK(table.may_write(i), "a shared page is written");
      const int32_t page = table.pages()[i / page_tokens];
      Keys slots = read(page);
      slots[i % page_tokens] = content(salt, keys[i]);
      executor.write_page(0, page, std::as_bytes(std::span(slots)));
    }
  }

  Keys read(int32_t page) {
    Keys slots(page_tokens);
    executor.read_page(0, page, std::as_writable_bytes(std::span(slots)));
    return slots;
  }

  bool holds(const std::string& salt, const Keys& keys, int n, const PageTable& table) {
    for (int i = 0; i < n; ++i) {
      const Keys slots = read(table.pages()[i / page_tokens]);
      if (slots[i % page_tokens] != content(salt, keys[i])) return false;
    }
    return true;
  }

  // A sequence from beginning to end; how many keys it found.
  int run(const Keys& keys, const std::string& salt = "") {
    PageTable t = table();
    const int n = tree.take(salt, keys, static_cast<int>(keys.size()), t);
    EXPECT_TRUE(holds(salt, keys, n, t));
    t.grow(static_cast<int>(keys.size()));
    compute(salt, keys, n, t);
    tree.keep(salt, keys, t);
    EXPECT_TRUE(t.pages().empty());
    return n;
  }

  int found(const Keys& keys, const std::string& salt = "") {
    PageTable t = table();
    const int n = tree.take(salt, keys, static_cast<int>(keys.size()), t);
    EXPECT_TRUE(holds(salt, keys, n, t));
    return n;
  }

  const int page_tokens;
  FakeExecutor executor;
  CachePools pools;
  PagePool& pool;
  PrefixTree tree;
};

TEST(PrefixTree, FindsTheLongestPrefixAgainAndAgain) {
  Tree t;
  t.run({1, 2, 3});
  EXPECT_EQ(t.run({1, 2, 3, 4, 5}), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(t.found({1, 2, 3, 4, 5, 6}), 5);
    EXPECT_EQ(t.found({1, 2, 3, 9}), 3);
    EXPECT_EQ(t.found({1, 9}), 1);
    EXPECT_EQ(t.found({9, 1, 2, 3}), 0);
  }
  EXPECT_EQ(t.tree.n_pages(), 3);  // 1 2 | 3 4 | 5: the tail 3 went into 3 4
  EXPECT_EQ(t.pool.n_free(), 61);
}

TEST(PrefixTree, SharesWholePagesAndCopiesAPart) {
  Tree t;
  t.run({1, 2, 3, 4, 5});
  PageTable a = t.table(), b = t.table();
  EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 4, 5, 6}, 5, a), 5);
  EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 4, 5, 6}, 3, b), 3);
  EXPECT_EQ(t.executor.n_copied, 2);
  EXPECT_EQ(a.n_shared(), 2);
  EXPECT_EQ(b.n_shared(), 1);
  EXPECT_EQ(a.pages()[0], b.pages()[0]);
  EXPECT_NE(a.pages()[1], b.pages()[1]);
  EXPECT_EQ(t.tree.n_evictable(), 1);  // the tail that was copied
  t.compute("", {1, 2, 3, 7}, 3, b);   // goes on in its copy
  EXPECT_TRUE(t.holds("", {1, 2, 3, 4, 5}, 5, a));
}

TEST(PrefixTree, TakesNoMoreThanItIsAskedFor) {
  Tree t;
  t.run({1, 2, 3, 4});
  for (int most = 0; most <= 4; ++most) {
    PageTable a = t.table();
    EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 4}, most, a), most);
    EXPECT_EQ(std::ssize(a.pages()), (most + 1) / 2);
  }
}

TEST(PrefixTree, CopiesOnlyWhereThereIsAPage) {
  Tree t(3);
  t.run({1, 2, 3, 4, 5, 6});
  PageTable a = t.table();
  // The page to be copied is not the one given up for its copy.
  EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 4, 5, 9}, 5, a), 4);
  EXPECT_EQ(t.tree.n_pages(), 3);
  a.shrink(0);
  EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 9}, 3, a), 3);
  EXPECT_EQ(t.tree.n_pages(), 2);  // 5 6 made room
  EXPECT_TRUE(t.holds("", {1, 2, 3}, 3, a));
}

TEST(PrefixTree, SequencesThatRunShareTheirWholePages) {
  Tree t;
  const Keys keys{1, 2, 3, 4, 5};
  PageTable a = t.table();
  a.grow(5);
  t.compute("", keys, 0, a);
  t.tree.share("", keys, a);
  EXPECT_EQ(a.n_shared(), 2);
  EXPECT_TRUE(a.may_write(4));
  EXPECT_EQ(t.found({1, 2, 3, 4, 5}), 4);
  EXPECT_EQ(t.tree.n_evictable(), 0);

  // Two that computed the same at the same time end with one set of pages.
  PageTable b = t.table();
  b.grow(5);
  t.compute("", keys, 0, b);
  EXPECT_EQ(t.pool.n_free(), 64 - 6);
  t.tree.share("", keys, b);
  EXPECT_EQ(t.pool.n_free(), 64 - 4);
  EXPECT_EQ(b.pages()[1], a.pages()[1]);
  EXPECT_NE(b.pages()[2], a.pages()[2]);
  t.tree.keep("", keys, a);
  t.tree.keep("", keys, b);
  EXPECT_EQ(t.tree.n_pages(), 3);
  EXPECT_EQ(t.tree.n_evictable(), 3);
  EXPECT_EQ(t.pool.n_free(), 61);
}

TEST(PrefixTree, KeepsTheLongerOfTwoTails) {
  Tree t(64, 4);
  t.run({1, 2, 3});
  PageTable a = t.table();
  a.grow(2);
  t.compute("", {1, 2}, 0, a);
  t.tree.keep("", Keys{1, 2}, a);
  EXPECT_EQ(t.tree.n_pages(), 1);
  EXPECT_EQ(t.found({1, 2, 3, 4}), 3);
  t.run({1, 2, 4});
  t.run({1, 2, 3, 4, 5});
  EXPECT_EQ(t.tree.n_pages(), 3);  // 1 2 3 4 | 5 and 1 2 4
  EXPECT_EQ(t.found({1, 2, 4, 5}), 3);
}

TEST(PrefixTree, SaltsShareNothing) {
  Tree t;
  t.run({1, 2, 3, 4}, "a");
  EXPECT_EQ(t.found({1, 2, 3, 4}), 0);
  EXPECT_EQ(t.found({1, 2, 3, 4}, "bb"), 0);
  EXPECT_EQ(t.run({1, 2, 3, 4}, "bb"), 0);
  EXPECT_EQ(t.found({1, 2, 3, 4}, "a"), 4);
  t.tree.clear("a");
  EXPECT_EQ(t.found({1, 2, 3, 4}, "a"), 0);
  EXPECT_EQ(t.found({1, 2, 3, 4}, "bb"), 4);
  t.tree.clear("a");
  EXPECT_EQ(t.tree.n_pages(), 2);
}

TEST(PrefixTree, GivesUpTheLeastRecentlyUsedLeafFirst) {
  Tree t;
  t.run({1, 2, 3, 4, 5, 6});
  t.run({7, 8, 9, 10});
  t.run({1, 2, 3, 4, 11, 12});
  EXPECT_EQ(t.found({1, 2, 3, 4, 5, 6}), 6);
  // 7 8 | 9 10 is the oldest, then 11 12.
  EXPECT_TRUE(t.tree.evict_one());
  EXPECT_TRUE(t.tree.evict_one());
  EXPECT_TRUE(t.tree.evict_one());
  EXPECT_EQ(t.tree.n_pages(), 3);
  EXPECT_EQ(t.found({7, 8}), 0);
  EXPECT_EQ(t.found({1, 2, 3, 4, 11, 12}), 4);
  EXPECT_EQ(t.found({1, 2, 3, 4, 5, 6}), 6);
  for (int n = 4; n >= 0; n -= 2) {
    EXPECT_TRUE(t.tree.evict_one());
    EXPECT_EQ(t.found({1, 2, 3, 4, 5, 6}), n);
  }
  EXPECT_FALSE(t.tree.evict_one());
  EXPECT_EQ(t.pool.n_free(), 64);
}

TEST(PrefixTree, DoesNotGiveUpWhatSomebodyHolds) {
  Tree t(4);
  t.run({1, 2, 3, 4, 5, 6});
  PageTable a = t.table();
  EXPECT_EQ(t.tree.take("", Keys{1, 2, 3, 4}, 4, a), 4);
  EXPECT_EQ(t.tree.n_evictable(), 1);
  EXPECT_TRUE(t.tree.make_room(2));
  EXPECT_FALSE(t.tree.make_room(3));
  EXPECT_TRUE(t.holds("", {1, 2, 3, 4}, 4, a));
  a.shrink(0);
  EXPECT_TRUE(t.tree.make_room(4));
  EXPECT_EQ(t.tree.n_pages(), 0);
}

TEST(PrefixTree, KeepsIdlePagesWithinItsBudget) {
  Tree t(64, 2, 3);
  t.run({1, 2, 3, 4});
  t.run({5, 6, 7, 8});
  EXPECT_EQ(t.tree.n_pages(), 3);
  EXPECT_EQ(t.found({1, 2, 3, 4}), 2);
  EXPECT_EQ(t.found({5, 6, 7, 8}), 4);
  Tree none(64, 2, 0);
  none.run({1, 2, 3, 4});
  EXPECT_EQ(none.pool.n_free(), 64);
  EXPECT_EQ(none.found({1, 2, 3, 4}), 0);
}

TEST(PrefixTree, AfterClearingSequencesGoOnWithTheirPages) {
  Tree t;
  const Keys keys{1, 2, 3, 4};
  t.run(keys);
  PageTable a = t.table(), b = t.table(), c = t.table();
  t.tree.take("", keys, 4, a);
  t.tree.take("", keys, 4, b);
  t.tree.clear();
  EXPECT_EQ(t.tree.n_pages(), 0);
  EXPECT_TRUE(t.holds("", keys, 4, a));
  c.grow(2);
  t.compute("", {1, 2}, 0, c);
  t.tree.keep("", Keys{1, 2}, c);  // now the tree has a page for 1 2 that b does not hold
  t.tree.keep("", keys, a);
  while (t.tree.evict_one()) {
  }
  EXPECT_EQ(t.tree.n_pages(), 0);
  EXPECT_TRUE(t.holds("", keys, 4, b));
  t.tree.keep("", keys, b);
  EXPECT_EQ(t.found(keys), 4);
  EXPECT_EQ(t.pool.n_free(), 62);
}

TEST(PrefixTree, KeepsNothingOfNothing) {
  Tree t;
  PageTable a = t.table();
  a.grow(5);
  t.tree.keep("", {}, a);
  EXPECT_EQ(t.pool.n_free(), 64);
  EXPECT_EQ(t.found({}), 0);
  EXPECT_FALSE(t.tree.evict_one());
}

TEST(PrefixTree, LongChainsTakeNoStack) {
  constexpr int kPages = 200000;
  Tree t(kPages + 1, 1);
  Keys keys(kPages);
  std::iota(keys.begin(), keys.end(), 0);
  t.run(keys);
  EXPECT_EQ(t.found(keys), kPages);
  t.tree.clear();
  EXPECT_EQ(t.pool.n_free(), kPages + 1);
}

// Everything is kept: then what is found is exactly the longest prefix of all that was kept.
TEST(PrefixTreeProperty, FindsWhatASimpleSearchFinds) {
  for (int round = 0; round < 60; ++round) {
    std::mt19937 random(round);
    const auto below = [&](int n) { return static_cast<int>(random() % n); };
    Tree t(6000, 1 + below(5));
    std::map<std::string, std::vector<Keys>> kept;
    for (int step = 0; step < 120; ++step) {
      const std::string salt(below(3), 's');
      Keys keys(below(14));
      for (int32_t& key : keys) key = below(3);
      const int most = below(16);
      int expected = 0;
      for (const Keys& other : kept[salt]) {
        const auto differ = std::mismatch(keys.begin(), keys.end(), other.begin(), other.end());
        expected = std::max(expected, static_cast<int>(differ.first - keys.begin()));
      }
      PageTable table = t.table();
      const int n = t.tree.take(salt, keys, most, table);
      ASSERT_EQ(n, std::min(expected, most)) << "round " << round << ", step " << step;
      ASSERT_TRUE(t.holds(salt, keys, n, table));
      table.grow(static_cast<int>(keys.size()));
      t.compute(salt, keys, n, table);
      if (below(2)) {
        keys.resize(keys.size() / t.page_tokens * t.page_tokens);
        t.tree.share(salt, keys, table);
      } else {
        t.tree.keep(salt, keys, table);
      }
      kept[salt].push_back(keys);
    }
  }
}

struct Live {
  std::string salt;
  Keys keys;
  int n_cached;
  PageTable table;
};

// Who holds what, counted anew: no page in two writable hands, and every count right.
void check_hands(const Tree& t, const std::vector<Live>& live) {
  std::map<int32_t, int> held;
  for (const Live& s : live) {
    for (const int32_t page : s.table.pages()) ++held[page];
  }
  int n_cached = 0, n_idle = 0, n_free = 0;
  for (int32_t page = 0; page < t.pool.n_pages(); ++page) {
    const bool cached = t.pool.cached(page);
    ASSERT_EQ(t.pool.n_holders(page), held[page] + cached);
    n_cached += cached;
    n_idle += cached && held[page] == 0;
    n_free += !cached && held[page] == 0;
  }
  for (const Live& s : live) {
    for (const int32_t page : s.table.pages().subspan(s.table.n_shared()))
      ASSERT_EQ(t.pool.n_holders(page), 1);
  }
  ASSERT_EQ(t.tree.n_pages(), n_cached);
  ASSERT_EQ(t.tree.n_evictable(), n_idle);
  ASSERT_EQ(t.pool.n_free(), n_free);
}

class Crowd {
 public:
  explicit Crowd(int seed)
      : random_(seed),
        most_idle_(below(3) ? 1000 : below(12)),
        t(10 + below(50), 1 + below(4), most_idle_) {}

  void begin() {
    Live s{std::string(below(2), 's'), Keys(1 + below(20)), 0, t.table()};
    for (int32_t& key : s.keys) key = below(2);
    s.n_cached = t.tree.take(s.salt, s.keys, static_cast<int>(s.keys.size()) - 1, s.table);
    ASSERT_LT(s.n_cached, std::ssize(s.keys));
    ASSERT_TRUE(t.holds(s.salt, s.keys, s.n_cached, s.table));
    n_found += s.n_cached;
    live.push_back(std::move(s));
  }
  void compute(Live& s) {
    const int until = std::min<int>(s.n_cached + 1 + below(6), static_cast<int>(s.keys.size()));
    if (!t.tree.make_room(s.table.missing(until))) return;
    s.table.grow(until);
    t.compute(s.salt, {s.keys.begin(), s.keys.begin() + until}, s.n_cached, s.table);
    s.n_cached = until;
    if (below(2)) t.tree.share(s.salt, cached(s), s.table);
  }
  void end(size_t i) {
    if (below(4)) {
      t.tree.keep(live[i].salt, cached(live[i]), live[i].table);
      ASSERT_LE(t.tree.n_evictable(), most_idle_);
    }
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
  }
  void lose(Live& s) {
    s.table.shrink(0);
    s.n_cached = 0;
  }
  void step() {
    const size_t i = live.empty() ? 0 : random_() % live.size();
    const int what = below(40);
    if (live.empty() || (what < 8 && live.size() < 12)) return begin();
    if (what < 30) return compute(live[i]);
    if (what < 35) return end(i);
    if (what < 37) return lose(live[i]);
    if (what < 39) return static_cast<void>(n_evicted += t.tree.evict_one());
    below(4) ? t.tree.clear(std::string(below(2), 's')) : t.tree.clear();
  }
  void check() {
    ASSERT_NO_FATAL_FAILURE(check_hands(t, live));
    for (const Live& s : live) ASSERT_TRUE(t.holds(s.salt, s.keys, s.n_cached, s.table));
  }
  void close() {
    live.clear();
    while (t.tree.evict_one()) {
    }
    ASSERT_EQ(t.tree.n_pages(), 0);
    ASSERT_EQ(t.pool.n_free(), t.pool.n_pages());
  }

 private:
  int below(int n) { return static_cast<int>(random_() % n); }
  static std::span<const int32_t> cached(const Live& s) {
    return std::span(s.keys).first(s.n_cached);
  }
  std::mt19937 random_;
  int most_idle_;

 public:
  Tree t;
  std::vector<Live> live;
  int64_t n_found = 0, n_evicted = 0;
};

TEST(PrefixTreeProperty, NoPageIsInTwoWritableHandsAndAllComeBack) {
  int64_t n_found = 0, n_evicted = 0, n_copied = 0;
  for (int round = 0; round < 150; ++round) {
    Crowd crowd(round);
    for (int step = 0; step < 600; ++step) {
      crowd.step();
      crowd.check();
      if (testing::Test::HasFatalFailure()) FAIL() << "round " << round << ", step " << step;
    }
    ASSERT_NO_FATAL_FAILURE(crowd.close());
    n_found += crowd.n_found;
    n_evicted += crowd.n_evicted;
    n_copied += crowd.t.executor.n_copied;
  }
  EXPECT_GT(n_found, 10000);  // the rounds did what they are for
  EXPECT_GT(n_evicted, 1000);
  EXPECT_GT(n_copied, 1000);
}

}  // namespace
}  // namespace quern
