// What windows and states cost, and what is reused of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "engine/fake_engine.h"
#include "engine/kv/page_file.h"
#include "engine/kv/session_file.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

std::vector<int32_t> prompt_of(int n) {
  std::vector<int32_t> prompt(n);
  for (int i = 0; i < n; ++i) prompt[i] = (i * i + i / 7) % 59;
  return prompt;
}

// The group has no page more: a prompt that is ten times as long as its window fits.
TEST(CacheGroups, AWindowCostsItsWindowAndThePagesOfAPass) {
  const int pages = window_pages(1024, 512, 64);
  EXPECT_EQ(pages, 25);  // 1,536 tokens and a page
  FakeExecutor executor({.max_rows = 512,
                         .page_tokens = 64,
                         .n_pages = 200,
                         .groups = {{"full"}, {"window 1024", 1024, pages}}});
  Engine engine(executor, options());
  const Done done = run(engine, request(prompt_of(10240), 50));
  EXPECT_EQ(done.ids,
            alone(request(prompt_of(10240), 50), {.max_rows = 512,
                                                  .page_tokens = 64,
                                                  .n_pages = 200,
                                                  .groups = {{"full"}, {"window 1024", 1024}}})
                .ids);
  EXPECT_EQ(engine.n_free_pages(1), pages);
}

TEST(CacheGroups, APrefixIsReusedWhereItsWindowIsThere) {
  FakeExecutor executor({.n_pages = 64, .groups = {{"full"}, {"window 6", 6, 30}}});
  Engine engine(executor, options());
  run(engine, request(prompt_of(40), 3));
  std::vector<int32_t> longer = prompt_of(40);
  longer.insert(longer.end(), {1, 2, 3});
  EXPECT_EQ(run(engine, request(longer, 3)).timings.cached_n, 40);
  // In the middle of the prompt the window's pages went back, or were shared while it was read.
  std::vector<int32_t> other = prompt_of(32);
  other.insert(other.end(), {50, 51, 52, 53, 54});
  const Done done = run(engine, request(other, 3));
  EXPECT_EQ(done.timings.cached_n, 32);
  while (engine.prefixes().evict_one(1)) {
  }
  EXPECT_EQ(engine.n_free_pages(0), 64);
  EXPECT_EQ(run(engine, request(other, 3)).timings.cached_n, 0);
}

TEST(CacheGroups, AStateIsReusedFromItsCheckpoints) {
  for (const bool pages : {false, true}) {
    FakeExecutor::Shape shape{.n_pages = 64, .n_states = 3};
    if (!pages) shape.groups.clear();
    FakeExecutor executor(shape);
    EngineOptions o = options();
    o.checkpoint_tokens = 12;
    Engine engine(executor, o);
    const Done first = run(engine, request(prompt_of(30), 9));
    EXPECT_EQ(first.timings.cached_n, 0);
    // 28 is the last page boundary of the prompt, 36 that of the answer, 12 and 24 lie between.
    EXPECT_EQ(run(engine, request(prompt_of(30), 1)).timings.cached_n, 28);
    std::vector<int32_t> next = prompt_of(30);
    next.insert(next.end(), first.ids.begin(), first.ids.end());
    next.push_back(7);
    EXPECT_EQ(run(engine, request(next, 2)).timings.cached_n, 36);
    std::vector<int32_t> other = prompt_of(27);
    other.push_back(58);
    EXPECT_EQ(run(engine, request(other, 2)).timings.cached_n, 24);
    EXPECT_EQ(engine.n_free_states(), 3);
    EXPECT_GT(engine.prefixes().checkpoint_bytes(), 0);
  }
}

// An answer that was given before is drafted whole; one that leaves it where a token is banned has
// a wrong draft there, and goes on from the state before it.
TEST(CacheGroups, AStateTakesBackWrongDrafts) {
  for (const int n_states : {1, 2}) {  // with one slot there is none to spare, and no draft
    const FakeExecutor::Shape shape{.n_pages = 64, .n_states = n_states};
    FakeExecutor executor(shape);
    EngineOptions o = options();
    o.always_guess = true;
    Engine engine(executor, o);
    Request r = request(prompt_of(10), 30);
    r.options.ignore_eos = true;
    const Done first = run(engine, r);
    EXPECT_EQ(run(engine, r).ids, first.ids);
    const int64_t n_true = engine.counts().n_true_drafts, n_drafts = engine.counts().n_drafts;
    EXPECT_EQ(n_true > 15, n_states > 1);
    r.options.sampling.banned = {first.ids[12]};
    const Done other = run(engine, r);
    EXPECT_NE(other.ids, first.ids);
    EXPECT_EQ(engine.counts().n_drafts - n_drafts > engine.counts().n_true_drafts - n_true,
              n_states > 1);
    EXPECT_EQ(other.ids, alone(r, {.max_rows = 512, .n_pages = 256, .n_states = 1}).ids);
    EXPECT_EQ(engine.n_free_states(), n_states);
  }
}

TEST(CacheGroups, WithoutABudgetNoStateIsKept) {
  FakeExecutor executor({.n_pages = 64, .groups = {}, .n_states = 1});
  EngineOptions o = options();
  o.checkpoint_bytes = 0;
  Engine engine(executor, o);
  run(engine, request(prompt_of(30), 9));
  EXPECT_EQ(run(engine, request(prompt_of(30), 9)).timings.cached_n, 0);
}

TEST(CacheGroupsDeathTest, AGroupThatHoldsNoWholeWindowIsABug) {
  FakeExecutor executor({.max_rows = 16, .groups = {{"full"}, {"window 8", 8, 6}}});
  EXPECT_DEATH(Engine(executor, options()), "a sequence of any length");
}

// Every bit of a session with a window and a state counts.
TEST(CacheGroups, ADamagedSessionIsRefusedWhole) {
  TemporaryFolder folder("quern_groups");
  const std::string path = (folder.path() / "session").string();
  const FakeExecutor::Shape shape{
      .n_pages = 16, .groups = {{"full"}, {"window 5", 5, 12}}, .n_states = 1};
  FakeExecutor executor(shape);
  Engine engine(executor, options());
  run(engine, request(prompt_of(20), 3));
  ASSERT_EQ(*engine.save(path, prompt_of(20), ""), 20);
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    std::ofstream(path, std::ios::binary) << damaged;
    FakeExecutor other(shape);
    Engine again(other, options());
    const auto restored = again.restore(path);
    if (restored) {  // in the zeros before the pages
      ASSERT_EQ(whole[i], 0);
    } else {
      ASSERT_EQ(run(again, request(prompt_of(21), 1)).timings.cached_n, 0);
    }
  }
  std::ofstream(path, std::ios::binary) << whole;
  FakeExecutor other(shape);
  Engine again(other, options());
  ASSERT_EQ(again.restore(path)->size(), 20u);
  EXPECT_EQ(run(again, request(prompt_of(21), 3)).timings.cached_n, 20);
}

// Files whose checksums are right and whose content is not.
TEST(CacheGroups, ASessionOfNoTokensIsRefused) {
  TemporaryFolder folder("quern_groups");
  const std::string path = (folder.path() / "session").string();
  FakeExecutor executor({.n_pages = 16, .n_states = 2});
  Engine engine(executor, options());
  const auto code = [&](std::vector<int32_t> keys) {
    CachePools pools(executor);
    PageTable table(pools);
    table.grow(static_cast<int>(keys.size()));
    const Session session{
        "", std::move(keys),
        std::make_shared<const std::vector<std::byte>>(executor.states().slot_bytes)};
    EXPECT_TRUE(save_session(path, page_identity("", executor), session, table, executor));
    const auto restored = engine.restore(path);
    return restored ? Code::cancelled : restored.error().code;
  };
  EXPECT_EQ(code({1, 2, 3, -4}), Code::corrupt);
  EXPECT_EQ(code({1, 2, 3, 2 * 61}), Code::corrupt);
  EXPECT_EQ(code({1, 2, 3}), Code::unsupported);  // no end of a page
  EXPECT_EQ(engine.n_free_pages(), 16);
  EXPECT_EQ(code({1, 2, 3, 4}), Code::cancelled);
}

// A file of before is refused with its version, and costs a store nothing but a note.
TEST(CacheGroups, AnOlderFileIsRefused) {
  TemporaryFolder folder("quern_groups");
  const std::string path = (folder.path() / "session").string();
  FakeExecutor executor({.n_pages = 16});
  Engine engine(executor, options());
  run(engine, request(prompt_of(20), 3));
  ASSERT_TRUE(engine.save(path, prompt_of(20), ""));
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out).seekp(8).put(1);
  const auto restored = engine.restore(path);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, Code::unsupported);
  EXPECT_NE(restored.error().what.find("version 1"), std::string::npos);
}

}  // namespace
}  // namespace quern
