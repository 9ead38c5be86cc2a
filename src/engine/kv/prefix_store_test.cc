#include "engine/kv/prefix_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <random>

#include "engine/fake_executor.h"
#include "engine/kv/prefix_tree.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Keys = std::vector<int32_t>;

constexpr int kPageTokens = 2;

// A program that runs with a store, until it is destroyed; the folder stays.
struct Program {
  explicit Program(PrefixStoreOptions options, int n_pages = 32)
      : executor({.page_tokens = kPageTokens, .n_pages = n_pages}),
        pools(executor),
        tree(pools, executor, n_pages) {
    if (options.identity.model.empty()) options.identity = page_identity("model", executor);
    options.note = [this](const std::string&) { ++n_notes; };
    store = std::make_unique<PrefixStore>(std::move(options));
    tree.use(store.get());
  }
  PageTable table() { return PageTable(pools); }
  // What was found of the keys; the rest is computed and kept, and all of it saved.
  int run(const Keys& keys, const std::string& salt = "") {
    PageTable t = table();
    const int n = tree.take(salt, keys, static_cast<int>(keys.size()), t);
    EXPECT_TRUE(holds(keys, n, t));
    EXPECT_TRUE(tree.make_room(t.missing(static_cast<int>(keys.size()))));
    t.grow(static_cast<int>(keys.size()));
    for (int i = n; i < std::ssize(keys); ++i) {
      const int32_t page = t.pages()[i / kPageTokens];
      Keys slots = read(page);
      slots[i % kPageTokens] = keys[i];
      executor.write_page(0, page, std::as_bytes(std::span(slots)));
    }
    tree.keep(salt, keys, t);
    tree.save_all();
    return n;
  }
  int found(const Keys& keys, const std::string& salt = "") {
    PageTable t = table();
    const int n = tree.take(salt, keys, static_cast<int>(keys.size()), t);
    EXPECT_TRUE(holds(keys, n, t));
    return n;
  }
  Keys read(int32_t page) {
    Keys slots(kPageTokens);
    executor.read_page(0, page, std::as_writable_bytes(std::span(slots)));
    return slots;
  }
  bool holds(const Keys& keys, int n, const PageTable& t) {
    for (int i = 0; i < n; ++i)
      if (read(t.pages()[i / kPageTokens])[i % kPageTokens] != keys[i]) return false;
    return true;
  }

  FakeExecutor executor;
  CachePools pools;
  std::atomic<int> n_notes = 0;
  std::unique_ptr<PrefixStore> store;
  PrefixTree tree;
};

class PrefixStoreTest : public testing::Test {
 protected:
  PrefixStoreOptions options() const {
    PrefixStoreOptions options;
    options.folder = folder_.path().string();
    return options;
  }
  std::vector<fs::path> files() const {
    return {fs::directory_iterator(folder_.path()), fs::directory_iterator()};
  }
  TemporaryFolder folder_{"quern_prefixes"};
};

TEST_F(PrefixStoreTest, SurvivesARestart) {
  Program(options()).run({1, 2, 3, 4, 5});
  EXPECT_EQ(files().size(), 2u);  // whole pages
  Program again(options());
  EXPECT_EQ(again.found({1, 2, 3, 9}), 2);
  EXPECT_EQ(again.found({1, 2, 3, 4, 5, 6}), 4);
  EXPECT_EQ(again.found({1, 2, 3, 9}), 3);  // a part of what has come from the disk
  EXPECT_EQ(again.found({9, 1, 2}), 0);
  EXPECT_EQ(again.run({1, 2, 3, 4, 5, 6}), 4);
  EXPECT_EQ(files().size(), 3u);
  EXPECT_EQ(again.n_notes, 0);
}

TEST_F(PrefixStoreTest, ExtendsWhatTheTreeHas) {
  Program program(options());
  program.run({1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(program.tree.evict_one());
  EXPECT_TRUE(program.tree.evict_one());
  EXPECT_EQ(program.tree.n_pages(), 1);
  EXPECT_EQ(program.found({1, 2, 3, 4, 5, 6}), 6);
  EXPECT_EQ(program.tree.n_pages(), 3);
  program.tree.clear();
  PageTable held = program.table();
  held.grow(2 * 30);  // room for two pages
  EXPECT_EQ(program.found({1, 2, 3, 4, 5, 6}), 4);
}

TEST_F(PrefixStoreTest, IsForOneModelAndOneSalt) {
  Program(options()).run({1, 2, 3, 4}, "a");
  PrefixStoreOptions other = options();
  other.identity = {"other", "fake, 2 tokens", 2, {{"full", 8}}};
  EXPECT_EQ(Program(other).found({1, 2, 3, 4}, "a"), 0);
  Program again(options());
  EXPECT_EQ(again.found({1, 2, 3, 4}), 0);
  EXPECT_EQ(again.found({1, 2, 3, 4}, "b"), 0);
  EXPECT_EQ(again.found({1, 2, 3, 4}, "a"), 4);
}

// All prefixes have one name: then each finds the file of another, and knows it.
TEST_F(PrefixStoreTest, ComparesKeysWhereNamesCollide) {
  PrefixStoreOptions colliding = options();
  colliding.hash = [](uint64_t, std::span<const int32_t>) { return uint64_t{7}; };
  std::mt19937 random(1);
  int n_found = 0;
  for (int round = 0; round < 40; ++round) {
    Program program(colliding, 8);
    Keys keys(2 * (1 + random() % 2));
    for (int32_t& key : keys) key = static_cast<int32_t>(random() % 2) * 2;
    n_found += program.run(keys);  // checks what it finds
    EXPECT_EQ(program.n_notes, 0);
  }
  EXPECT_GT(n_found, 4);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(PrefixStoreTest, ALookupSaysWhetherTheLastBitCounts) {
  Program(options()).run({2, 4, 7, 9});  // of the roles 0 0 1 1
  Program program(options());
  const Keys asked{2, 4, 6, 8};
  EXPECT_EQ(program.found(asked), 2);
  PageTable t = program.table();
  Keys found;
  EXPECT_EQ(program.tree.take("", asked, 4, t, KeyMatch::token, &found), 4);
  EXPECT_EQ(found, (Keys{2, 4, 7, 9}));
  EXPECT_TRUE(program.holds(found, 4, t));
}

TEST_F(PrefixStoreTest, DamagedFilesAreRemovedWithANote) {
  Program(options()).run({1, 2});
  const fs::path path = files().at(0);
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::string> bad = {"", "x", whole.substr(0, whole.size() - 1), whole + "x"};
  for (const size_t at : {size_t{0}, size_t{9}, size_t{40}, whole.size() - 1}) {
    bad.push_back(whole);
    bad.back()[at] = static_cast<char>(bad.back()[at] ^ 4);
  }
  for (const std::string& bytes : bad) {
    std::ofstream(path, std::ios::binary) << bytes;
    Program program(options());
    EXPECT_EQ(program.found({1, 2, 3, 4}), 0);
    EXPECT_EQ(program.found({1, 2, 3, 4}), 0);
    EXPECT_EQ(program.n_notes, 1);
    EXPECT_FALSE(fs::exists(path));
    EXPECT_EQ(program.run({1, 2}), 0);
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_EQ(Program(options()).found({1, 2}), 2);
}

TEST_F(PrefixStoreTest, AFileThatIsGoneIsAMiss) {
  Program(options()).run({1, 2, 3, 4});
  Program program(options());
  for (const fs::path& path : files()) fs::remove(path);
  EXPECT_EQ(program.run({1, 2, 3, 4}), 0);
  EXPECT_EQ(program.n_notes, 0);
  EXPECT_EQ(Program(options()).found({1, 2}), 2);
}

TEST_F(PrefixStoreTest, WhereNothingCanBeWrittenItGoesOnWithout) {
  const std::string file = (folder_.path() / "file").string();
  std::ofstream(file) << "no folder";
  PrefixStoreOptions nowhere;
  nowhere.folder = file;
  Program program(nowhere);
  program.run({1, 2, 3, 4, 5, 6});
  program.run({7, 8, 9, 10});
  EXPECT_EQ(program.n_notes, 1);
  EXPECT_TRUE(program.store->failed());
  EXPECT_EQ(program.found({1, 2, 3, 4, 5, 6}), 6);
}

TEST_F(PrefixStoreTest, AFullDiskIsNotedOnce) {
  PrefixStoreOptions full = options();
  auto n_written = std::make_shared<std::atomic<int>>(0);
  full.write = [n_written](const std::string& path, const PageFileHeader& header,
                           std::span<const std::byte> bytes) -> Result<> {
    if (++*n_written > 2) return Error{Code::unavailable, "no space left", path, ""};
    return write_page_file(path, header, [&](size_t, int64_t, std::span<std::byte> to) {
      std::copy(bytes.begin(), bytes.end(), to.begin());
    });
  };
  {
    Program program(full);
    program.run({1, 2, 3, 4, 5, 6, 7, 8});
    program.run({9, 10});
    EXPECT_EQ(program.n_notes, 1);
    EXPECT_EQ(*n_written, 3);
  }
  EXPECT_EQ(Program(options()).found({1, 2, 3, 4, 5, 6, 7, 8}), 4);
}

TEST_F(PrefixStoreTest, KeepsFilesWithinItsBudgetTheLastUsedOnesLongest) {
  Program(options()).run({1, 2});
  const auto bytes = static_cast<int64_t>(fs::file_size(files().at(0)));
  PrefixStoreOptions small = options();
  small.most_bytes = 3 * bytes + bytes / 2;
  const auto age = [&](int hours) {  // of the files that are there, and whose times are new
    for (const fs::path& path : files())
      if (fs::last_write_time(path) > fs::file_time_type::clock::now() - std::chrono::minutes(5))
        fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  age(9);
  Program program(small);
  program.run({3, 4});
  age(8);
  program.run({5, 6});
  age(7);
  program.tree.clear();
  EXPECT_EQ(program.found({1, 2}), 2);  // used now
  program.run({7, 8});
  EXPECT_EQ(files().size(), 3u);
  Program again(small);
  EXPECT_EQ(again.found({1, 2}), 2);
  EXPECT_EQ(again.found({3, 4}), 0);
  EXPECT_EQ(again.found({5, 6}), 2);
  EXPECT_EQ(again.found({7, 8}), 2);
  program.tree.clear();
  EXPECT_EQ(program.run({3, 4}), 0);  // and is written again
  EXPECT_EQ(Program(small).found({3, 4}), 2);
}

TEST_F(PrefixStoreTest, NobodyWaitsForASlowDisk) {
  PrefixStoreOptions slow = options();
  slow.most_queued = 2;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  slow.write = [gone](const std::string&, const PageFileHeader&,
                      std::span<const std::byte>) -> Result<> {
    gone.wait();
    return Ok{};
  };
  Program program(slow);
  PageTable t = program.table();
  t.grow(20);
  Keys keys(20);
  for (int i = 0; i < 20; ++i) keys[i] = i;
  program.tree.keep("", keys, t);
  int n_saved = 0;
  for (int i = 0; i < 20; ++i) n_saved += program.tree.save(1);
  EXPECT_GE(n_saved, 2);  // in the queue
  EXPECT_LE(n_saved, 3);  // and one being written
  EXPECT_FALSE(program.store->write(1, 0, "", {1, 2}, std::vector<std::byte>(8)));
  go.set_value();
  program.tree.save_all();
  EXPECT_TRUE(program.store->ready());
  EXPECT_EQ(program.tree.save(20), 0);
}

TEST_F(PrefixStoreTest, RemovesWhatInterruptedWritersLeft) {
  const fs::path old = folder_.path() / "kv-12.pages.part-abcdef",
                 late = folder_.path() / "kv-3.pages.part-b",
                 foreign = folder_.path() / "notes.txt";
  for (const fs::path& path : {old, late, foreign}) std::ofstream(path) << "x";
  for (const fs::path& path : {old, foreign})
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(5));
  Program program(options());
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(late));
  EXPECT_TRUE(fs::exists(foreign));
}

// Programs of every size, ended after every number of saved pages: what is found is right.
TEST_F(PrefixStoreTest, AnyNumberOfRestartsGivesWhatWasComputed) {
  std::mt19937 random(4);
  int n_found = 0;
  for (int round = 0; round < 10; ++round) {
    PrefixStoreOptions o = options();
    o.most_bytes = 200 * (1 + random() % 40);
    Program program(o, 6 + static_cast<int>(random() % 8));
    for (int i = 0; i < 8; ++i) {
      Keys keys(1 + random() % 10);
      for (int32_t& key : keys) key = static_cast<int32_t>(random() % 2) * 2;
      n_found += program.run(keys, std::string(random() % 2, 's'));
      if (random() % 4 == 0) program.tree.clear();
    }
  }
  EXPECT_GT(n_found, 20);
}

}  // namespace
}  // namespace quern
