// Models whose layers differ in their windows: each kind has pages of its own, and what a window
// has left behind may be given back.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "backend/cpu/executor.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/lower/all_weights.h"
#include "backend/cpu/lower/lowering.h"
#include "backend/sequence_pages.h"
#include "models/config.h"
#include "models/family.h"
#include "support/emulated.h"
#include "support/tiny_llama.h"

namespace quern::cpu {
namespace {

using testing::make_tiny_llama;

constexpr int kMaxRows = 96, kWindow = 70, kTokens = 600;

struct Case {
  std::string isa;
  Numerics numerics;
  KvKind kv;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Kernels* kernels : all_kernels()) {
    const bool best = kernels == &best_kernels(detect_cpu_features());
    if (!kernels->supported(detect_cpu_features()) || (runs_emulated() && !best)) continue;
    const std::string isa(kernels->isa);
    all.push_back({isa, Numerics::automatic, KvKind::bf16});
    all.push_back({isa, Numerics::exact, KvKind::automatic});
    all.push_back({isa, Numerics::fast, KvKind::int8});
    all.push_back({isa, Numerics::fine, KvKind::f16});
    all.push_back({isa, Numerics::fast, KvKind::int4});
  }
  return all;
}

// Layer i sees windows[i] tokens; 0: all.
std::unique_ptr<Executor> make(const Case& c, const std::vector<int>& windows, int n_threads = 2) {
  const auto source =
      make_tiny_llama({.n_layers = static_cast<int>(windows.size()), .linears = Dtype::q4_0});
  Graph graph = *build_graph(*source, *read_config(*source));
  for (Node& node : graph.nodes)
    if (auto* a = std::get_if<Attention>(&node.attributes)) a->window = windows[a->layer];
  CompileOptions options = {.numerics = c.numerics, .kv = c.kv, .max_rows = kMaxRows};
  options.pool = std::shared_ptr<ThreadPool>(std::move(*ThreadPool::start(n_threads)));
  const Kernels& kernels = *find_kernels(c.isa, detect_cpu_features());
  auto lowered = lower(std::move(graph), all_weights(source), options, kernels);
  CHECK(lowered, to_string(lowered.error()).c_str());
  auto executor = make_executor(std::move(lowered->program), std::move(lowered->weights), kernels,
                                options.pool, {.cache = {.tokens = kTokens}});
  CHECK(executor, to_string(executor.error()).c_str());
  return std::move(*executor);
}

int32_t token(int i, int n_vocab) { return (i * 37 + i * i % 7) % n_vocab; }

// Logits of all tokens, read in passes of these sizes in turn.
using Sizes = std::vector<int>;
template <class PagesFor>
std::vector<float> read(Executor& executor, const Sizes& sizes, PagesFor&& pages_for) {
  std::vector<float> all;
  size_t turn = 0;
  for (int at = 0, n = 0; at < kTokens; at += n) {
    n = std::min(sizes[turn++ % sizes.size()], kTokens - at);
    std::vector<int32_t> tokens(n), used(n);
    for (int i = 0; i < n; ++i) tokens[i] = token(at + i, executor.n_vocab()), used[i] = i;
    const Chunk chunk = {
        .first_row = 0, .n_rows = n, .position = at, .pages = pages_for(at), .n_used = n};
    std::vector<float> logits(size_t{1} * n * executor.n_vocab());
    CHECK(executor.forward({tokens, std::span(&chunk, 1), used}, logits), "a pass works");
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Pages in order, of all groups.
std::vector<float> read_all(Executor& executor, const Sizes& sizes) {
  SequencePages pages(executor);
  pages.lay_out(1, kTokens);
  return read(executor, sizes, [&](int) { return pages.of(0); });
}

// As the engine does: what a window has left behind is absent, its page is overwritten by other
// numbers that would show, and comes back for later tokens.
class GivingBack {
 public:
  explicit GivingBack(Executor& executor) : executor_(executor) {
    for (const CacheGroup& group : executor.groups()) {
      pages_.emplace_back();
      free_.emplace_back();
      for (int i = std::min(group.n_pages, kTokens / kPageTokens + 1); i-- > 0;)
        free_.back().push_back(i);
    }
  }
  PageLists operator()(int position) {
    lists_.clear();
    for (size_t group = 0; group < pages_.size(); ++group) {
      auto& pages = pages_[group];
      const int window = executor_.groups()[group].window;
      const int first = window == 0 ? 0 : std::max(0, position - window + 1) / kPageTokens;
      for (int i = 0; i < std::min<int>(first, std::ssize(pages)); ++i) {
        if (pages[i] == kAbsentPage) continue;
        std::vector<std::byte> poison(executor_.groups()[group].page_bytes, std::byte{0x3f});
        executor_.write_page(static_cast<int>(group), pages[i], poison);
        free_[group].push_back(std::exchange(pages[i], kAbsentPage));
        ++n_given_back;
      }
      while (std::ssize(pages) * kPageTokens < std::min(position + kMaxRows, kTokens)) {
        pages.push_back(free_[group].back());
        free_[group].pop_back();
      }
      lists_.emplace_back(pages);
    }
    return PageLists(lists_);
  }
  int n_given_back = 0;

 private:
  Executor& executor_;
  std::vector<std::vector<int32_t>> pages_, free_;
  std::vector<PageLists::Pages> lists_;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.isa; }

class WindowGroups : public ::testing::TestWithParam<Case> {};

TEST_P(WindowGroups, GiveTheSameBitsHoweverPagesComeAndGo) {
  const std::vector<int> windows{0, kWindow, kWindow, 0, 130};
  const auto executor = make(GetParam(), windows);
  ASSERT_EQ(executor->groups().size(), 3u);
  const auto expected = read_all(*executor, {64});
  for (const float number : expected) ASSERT_TRUE(std::isfinite(number));
  for (const Sizes& sizes : {Sizes{kMaxRows}, Sizes{1}, Sizes{3, 61, 1, 1, 70, 2}}) {
    GivingBack pages(*executor);
    EXPECT_TRUE(same_bits(read(*executor, sizes, pages), expected));
    EXPECT_GT(pages.n_given_back, 10);
  }
  const auto one_thread = make(GetParam(), windows, 1);
  EXPECT_TRUE(same_bits(read_all(*one_thread, {50, 1}), expected));
  EXPECT_FALSE(same_bits(read_all(*make(GetParam(), {0, 0, kWindow, 0, 130}), {64}), expected));
}

INSTANTIATE_TEST_SUITE_P(All, WindowGroups, ::testing::ValuesIn(cases()), [](const auto& test) {
  const Case& c = test.param;
  return c.isa + "_" + std::to_string(test.index);
});

TEST(WindowGroupsMemory, AWindowsMemoryDoesNotGrowWithTheContext) {
  const auto source = make_tiny_llama({.n_layers = 2, .window = kWindow});
  const auto pages = [&](int64_t tokens, int sequences) {
    CompileOptions options = {.max_rows = kMaxRows};
    options.pool = std::shared_ptr<ThreadPool>(std::move(*ThreadPool::start(1)));
    const Kernels& kernels = best_kernels(detect_cpu_features());
    auto lowered =
        lower(*build_graph(*source, *read_config(*source)), all_weights(source), options, kernels);
    auto executor = make_executor(std::move(lowered->program), std::move(lowered->weights), kernels,
                                  options.pool, {.cache = {tokens, sequences}});
    return (*executor)->groups()[0].n_pages;
  };
  EXPECT_EQ(pages(64, 1), 1);
  EXPECT_EQ(pages(640, 2), 20);
  // ceil((70 - 1 + 96) / 64) + 1 pages of a sequence, for 16 of them at least.
  EXPECT_EQ(pages(1 << 20, 1), 64);
  EXPECT_EQ(pages(1 << 24, 1), 64);
  EXPECT_EQ(pages(1 << 20, 32), 128);
}

TEST(WindowGroupsDeathTest, APageThatARowSeesMustBeThere) {
  const auto executor = make(
      {std::string(best_kernels(detect_cpu_features()).isa), Numerics::automatic, KvKind::bf16},
      {kWindow});
  const std::vector<int32_t> tokens{1}, used{0}, pages{kAbsentPage, kAbsentPage, 0, 1};
  std::vector<float> logits(executor->n_vocab());
  const auto run_at = [&](int position) {
    const Chunk chunk = {0, 1, position, pages, 1};
    (void)executor->forward({tokens, std::span(&chunk, 1), used}, logits);
  };
  run_at(128 + kWindow - 1);
  EXPECT_DEATH(run_at(128 + kWindow - 2), "below n_pages");
}

}  // namespace
}  // namespace quern::cpu
