// Layers with windows are a group of the cache: its pages are given back once no row sees them, and
// no bit changes by that, whatever becomes of their memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compile/compilation.h"
#include "compile/targets.h"
#include "compile/test_isas.h"
#include "models/family.h"
#include "support/emulated.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

constexpr int kTokens = 300, kPrompt = 250;  // rows behind the prompt are used

// Layer i has windows[i % n]: no family that is built has such layers yet.
std::unique_ptr<Executor> compile_with_windows(const testing::TinyLlama& shape,
                                               const std::vector<int>& windows,
                                               CompileOptions options) {
  const auto source = testing::make_tiny_llama(shape);
  const auto config = read_config(*source);
  CHECK(config, "a tiny model has a configuration");
  auto graph = build_graph(*source, *config);
  CHECK(graph, "a tiny model has a graph");
  for (Node& node : graph->nodes)
    if (auto* attention = std::get_if<Attention>(&node.attributes))
      attention->window = windows[static_cast<size_t>(attention->layer) % windows.size()];
  options.pool = std::move(*start_pool(options));
  Compilation c = {.target = default_target(),
                   .options = options,
                   .graph = std::move(*graph),
                   .weights = {.source = source}};
  for (const CompileStep& step : shared_steps()) CHECK(step.run(c), "the step runs");
  auto executor = c.target.lower(std::move(c.graph), c.weights, options);
  CHECK(executor, to_string(executor.error()).c_str());
  return std::move(*executor);
}

int32_t token(int position, int seed, int n_vocab) {
  return (position * 37 + seed * 11 + position * position % 13) % n_vocab;
}

// What becomes of a page that is given back: its memory is ruined, and nobody has it again; or the
// next page is the same one.
enum class GivenBack { ruined, reused };

// One sequence that gives its pages back.
class Sequence {
 public:
  Sequence(Executor& executor, int seed, GivenBack given_back, int first_page = 0)
      : executor_(&executor), seed_(seed), given_back_(given_back) {
    for (const CacheGroup& group : executor.groups()) {
      lists_.emplace_back();
      free_.emplace_back(group.n_pages - first_page);
      std::iota(free_.back().rbegin(), free_.back().rend(), first_page);
    }
  }
  int done() const { return done_; }
  const std::vector<float>& logits() const { return logits_; }

  // The next n rows, as a chunk whose first row in the batch is `row`; with done() of a pass, what
  // was computed of the used ones.
  Chunk next(int n, int row, std::vector<int32_t>& tokens) {
    const int page_tokens = executor_->page_tokens();
    spans_.clear();
    for (size_t group = 0; group < lists_.size(); ++group) {
      while (std::ssize(lists_[group]) * page_tokens < done_ + n) {
        EXPECT_FALSE(free_[group].empty()) << "group " << group << " at " << done_;
        lists_[group].push_back(free_[group].back());
        free_[group].pop_back();
      }
      spans_.emplace_back(lists_[group]);
    }
    for (int i = 0; i < n; ++i) tokens.push_back(token(done_ + i, seed_, executor_->n_vocab()));
    n_rows_ = n;
    return {row, n, done_, PageLists(spans_), n_used()};
  }
  int n_used() const { return std::clamp(done_ + n_rows_ - kPrompt, 0, n_rows_); }
  void took(std::span<const float> logits) {
    logits_.insert(logits_.end(), logits.begin(), logits.end());
    done_ += n_rows_;
    const auto groups = executor_->groups();
    for (int group = 0; group < std::ssize(groups); ++group) {
      if (groups[group].window == 0) continue;
      const int page_tokens = executor_->page_tokens();
      auto& list = lists_[group];
      for (int i = 0; (i + 1) * page_tokens - 1 <= done_ - groups[group].window; ++i) {
        if (list[i] == kAbsentPage) continue;
        if (given_back_ == GivenBack::reused) {
          free_[group].push_back(list[i]);
        } else {
          const std::vector<std::byte> ruin(groups[group].page_bytes, std::byte{0xff});  // NaN
          executor_->write_page(group, list[i], ruin);
        }
        list[i] = kAbsentPage;
      }
    }
  }
  // Entries that are there, of a group.
  int n_pages(int group) const {
    return static_cast<int>(
        std::ranges::count_if(lists_[group], [](int32_t page) { return page != kAbsentPage; }));
  }

 private:
  Executor* executor_;
  int seed_, done_ = 0, n_rows_ = 0;
  GivenBack given_back_;
  std::vector<std::vector<int32_t>> lists_, free_;
  std::vector<std::span<const int32_t>> spans_;
  std::vector<float> logits_;
};

// One pass of the next rows of each sequence, those that are at the end left out.
void step(Executor& executor, const std::vector<Sequence*>& sequences,
          const std::function<int()>& rows, int n_tokens = kTokens) {
  std::vector<int32_t> tokens, used;
  std::vector<Chunk> chunks;
  std::vector<Sequence*> running;
  for (Sequence* sequence : sequences) {
    const int n = std::min(rows(), n_tokens - sequence->done());
    if (n == 0) continue;
    const int row = static_cast<int>(tokens.size());
    chunks.push_back(sequence->next(n, row, tokens));
    for (int i = n - sequence->n_used(); i < n; ++i) used.push_back(row + i);
    running.push_back(sequence);
  }
  std::vector<float> logits(used.size() * executor.n_vocab());
  ASSERT_TRUE(executor.forward({tokens, chunks, used}, logits));
  std::span<const float> rest = logits;
  for (Sequence* sequence : running) {
    const size_t n = size_t{1} * sequence->n_used() * executor.n_vocab();
    sequence->took(rest.first(n));
    rest = rest.subspan(n);
  }
}

std::vector<float> alone(Executor& executor, GivenBack given_back, const std::function<int()>& rows,
                         int n_tokens = kTokens) {
  Sequence sequence(executor, 1, given_back);
  while (sequence.done() < n_tokens) step(executor, {&sequence}, rows, n_tokens);
  return sequence.logits();
}

struct Case {
  std::string name, isa;
  Numerics numerics;
  KvKind kv;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& isa : testing::tested_isas(runs_emulated())) {
    all.push_back({isa + "_exact", isa, Numerics::exact, KvKind::automatic});
    all.push_back({isa + "_bf16", isa, Numerics::automatic, KvKind::bf16});
    all.push_back({isa + "_f16", isa, Numerics::fine, KvKind::f16});
    all.push_back({isa + "_int8", isa, Numerics::fast, KvKind::int8});
    all.push_back({isa + "_int4", isa, Numerics::fast, KvKind::int4});
  }
  return all;
}

// Most layers see a window, as in Gemma's; heads of which tiles can take part.
const testing::TinyLlama kShape = {.n_layers = 4, .head_dim = 32, .linears = Dtype::q8_0};
const std::vector<int> kWindows = {40, 0, 40, 100};

class CacheGroups : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Executor> make(int max_rows, int sequences = 1, int threads = 2) const {
    return compile_with_windows(kShape, kWindows,
                                {.threads = threads,
                                 .numerics = GetParam().numerics,
                                 .kv = GetParam().kv,
                                 .max_rows = max_rows,
                                 .cache_tokens = kTokens,
                                 .cache_sequences = sequences,
                                 .isa = GetParam().isa});
  }
};

TEST_P(CacheGroups, PagesGivenBackChangeNoBit) {
  const auto executor = make(kTokens, 4);
  const auto expected = alone(*executor, GivenBack::reused, [] { return kTokens; });
  ASSERT_EQ(expected.size(), size_t{kTokens - kPrompt} * executor->n_vocab());
  for (const int rows : {1, 7, 64, 65, 150}) {
    if (runs_emulated() && rows == 1) continue;
    EXPECT_EQ(alone(*make(kTokens, 4), GivenBack::ruined, [=] { return rows; }), expected) << rows;
  }
  // With no more pages than a group has for one sequence.
  const auto small = make(33, 1, 3);
  std::mt19937 random(1);
  EXPECT_EQ(alone(*small, GivenBack::reused, [&] { return 1 + static_cast<int>(random() % 33); }),
            expected);
}

TEST_P(CacheGroups, CompanyChangesNoBit) {
  const auto executor = make(2 * kTokens, 3);
  const auto expected = alone(*executor, GivenBack::reused, [] { return 50; });
  const int half = executor->groups()[0].n_pages / 2;
  Sequence mine(*executor, 1, GivenBack::ruined, half), other(*executor, 2, GivenBack::reused);
  std::mt19937 random(2);
  const auto rows = [&] { return 1 + static_cast<int>(random() % 40); };
  step(*executor, {&other}, rows);
  while (mine.done() < kTokens) step(*executor, {&other, &mine}, rows);
  EXPECT_EQ(mine.logits(), expected);
}

// Pages of every group in another executor, at other places.
TEST_P(CacheGroups, StoredPagesGiveTheSameBits) {
  const auto executor = make(kTokens, 2), again = make(kTokens, 2);
  ASSERT_EQ(again->page_layout(), executor->page_layout());
  const int kBefore = 256, page = executor->page_tokens();
  Sequence sequence(*executor, 1, GivenBack::reused);
  step(*executor, {&sequence}, [=] { return kBefore; });
  std::vector<int32_t> tokens, used;
  const Chunk chunk = sequence.next(kTokens - kBefore, 0, tokens);
  std::vector<std::vector<int32_t>> lists;
  std::vector<std::span<const int32_t>> spans;
  const auto groups = executor->groups();
  for (int group = 0; group < std::ssize(groups); ++group) {
    lists.emplace_back(chunk.pages[group].begin(), chunk.pages[group].end());
    std::vector<std::byte> bytes(groups[group].page_bytes);
    for (int i = 0; i < std::ssize(lists.back()); ++i) {
      int32_t& at = lists.back()[i];
      if (at == kAbsentPage) continue;
      if (i * page < kBefore) {
        executor->read_page(group, at, bytes);
        again->write_page(group, groups[group].n_pages - 1 - at, bytes);
        again->copy_page(group, groups[group].n_pages - 1 - at, groups[group].n_pages - 1 - at);
      }
      at = groups[group].n_pages - 1 - at;
    }
  }
  for (const auto& list : lists) spans.emplace_back(list);
  Chunk there = chunk;
  there.pages = PageLists(spans);
  for (int i = kTokens - kBefore - chunk.n_used; i < kTokens - kBefore; ++i) used.push_back(i);
  std::vector<float> expected(used.size() * executor->n_vocab()), got(expected.size());
  ASSERT_TRUE(executor->forward({tokens, {&chunk, 1}, used}, expected));
  ASSERT_TRUE(again->forward({tokens, {&there, 1}, used}, got));
  EXPECT_EQ(got, expected);
}

INSTANTIATE_TEST_SUITE_P(All, CacheGroups, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

// Over several splits of the context, which threads share.
TEST(CacheGroupsLong, PagesGivenBackChangeNoBit) {
  constexpr int kLong = 1300;
  const auto make = [](int threads, int max_rows) {
    return compile_with_windows(
        {.width = 128, .n_heads = 6, .n_kv_heads = 3, .head_dim = 64, .linears = Dtype::q8_0},
        {600, 0},
        {.threads = threads, .max_rows = max_rows, .cache_tokens = kLong, .cache_sequences = 2});
  };
  const auto whole = alone(
      *make(1, kLong), GivenBack::reused, [] { return kLong; }, kLong);
  ASSERT_FALSE(whole.empty());
  for (const int threads : {2, 5}) {
    std::mt19937 random(threads);
    int at = 0;
    const auto rows = [&] {
      const int n = 1 + static_cast<int>(random() % (at < 1000 ? 200 : 6));
      at += n;
      return n;
    };
    EXPECT_EQ(alone(*make(threads, 200), GivenBack::ruined, rows, kLong), whole) << threads;
  }
}

}  // namespace
}  // namespace quern
