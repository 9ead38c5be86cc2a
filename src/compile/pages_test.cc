// What the engine may do with pages between passes: copy them, take their bytes away and bring them
// back, perhaps elsewhere. The rows that follow keep their bits.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "compile/test_isas.h"
#include "support/emulated.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;

constexpr int kBefore = 100, kAfter = 60;  // tokens: one whole page and a part, then two more

std::unique_ptr<Executor> make(const CompileOptions& options, int window) {
  auto executor = compile(make_tiny_llama({.linears = Dtype::q4_0, .window = window}), options);
  CHECK(executor, to_string(executor.error()).c_str());
  return std::move(*executor);
}

std::vector<float> run(Executor& executor, int from, int n, const std::vector<int32_t>& pages) {
  std::vector<int32_t> tokens(n), used(n);
  for (int i = 0; i < n; ++i) {
    tokens[i] = ((from + i) * 37 + (from + i) * (from + i) % 7) % executor.n_vocab();
    used[i] = i;
  }
  const Chunk chunk = {.first_row = 0, .n_rows = n, .position = from, .pages = pages, .n_used = n};
  std::vector<float> logits(size_t{1} * n * executor.n_vocab());
  CHECK(executor.forward({tokens, std::span(&chunk, 1), used}, logits), "the pass works");
  return logits;
}

struct Case {
  std::string name, isa;
  Numerics numerics;
  KvKind kv;
  int window;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& isa : testing::tested_isas(runs_emulated())) {
    all.push_back({isa + "_exact", isa, Numerics::exact, KvKind::automatic, 0});
    all.push_back({isa + "_bf16", isa, Numerics::automatic, KvKind::bf16, 0});
    all.push_back({isa + "_f16_window", isa, Numerics::fine, KvKind::f16, 30});
    all.push_back({isa + "_int8", isa, Numerics::fast, KvKind::int8, 0});
    all.push_back({isa + "_int4", isa, Numerics::fast, KvKind::int4, 0});
  }
  return all;
}

class Pages : public ::testing::TestWithParam<Case> {
 protected:
  CompileOptions options() const {
    return {.threads = 2,
            .numerics = GetParam().numerics,
            .kv = GetParam().kv,
            .max_rows = kBefore,
            .cache_tokens = 512,
            .isa = GetParam().isa};
  }
};

TEST_P(Pages, CopiedPagesGiveTheSameBits) {
  const auto executor = make(options(), GetParam().window);
  run(*executor, 0, kBefore, {0, 1});
  executor->copy_page(0, 0, 6);
  executor->copy_page(0, 1, 3);
  executor->copy_page(0, 1, 1);
  const auto expected = run(*executor, kBefore, kAfter, {0, 1, 2});
  run(*executor, 0, 64, {1});  // the copy does not follow what becomes of its original
  EXPECT_EQ(run(*executor, kBefore, kAfter, {6, 3, 4}), expected);
  EXPECT_NE(run(*executor, kBefore, kAfter, {6, 1, 4}), expected);
}

TEST_P(Pages, StoredPagesGiveTheSameBitsInAnotherExecutor) {
  const auto executor = make(options(), GetParam().window);
  run(*executor, 0, kBefore, {0, 1});
  std::vector<std::vector<std::byte>> stored(
      2, std::vector<std::byte>(executor->groups()[0].page_bytes));
  for (int i = 0; i < 2; ++i) executor->read_page(0, i, stored[i]);
  const auto expected = run(*executor, kBefore, kAfter, {0, 1, 2});

  CompileOptions other = options();
  other.threads = 1;
  other.cache_tokens = 320;
  const auto again = make(other, GetParam().window);
  ASSERT_EQ(again->groups()[0].page_bytes, executor->groups()[0].page_bytes);
  EXPECT_EQ(again->page_layout(), executor->page_layout());
  again->write_page(0, 4, stored[0]);
  again->write_page(0, 2, stored[1]);
  EXPECT_EQ(run(*again, kBefore, kAfter, {4, 2, 0}), expected);
  std::vector<std::byte> back(again->groups()[0].page_bytes);
  again->read_page(0, 4, back);
  EXPECT_EQ(back, stored[0]);
}

INSTANTIATE_TEST_SUITE_P(All, Pages, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(PageLayout, TellsApartWhatCannotReadTheOthersPages) {
  const auto layout = [](Numerics numerics, KvKind kv, int window) {
    return make({.threads = 1, .numerics = numerics, .kv = kv, .max_rows = 4, .cache_tokens = 128},
                window)
        ->page_layout();
  };
  const std::string bf16 = layout(Numerics::automatic, KvKind::bf16, 0);
  EXPECT_EQ(layout(Numerics::automatic, KvKind::automatic, 0), bf16);
  EXPECT_NE(layout(Numerics::automatic, KvKind::int8, 0), bf16);
  EXPECT_NE(layout(Numerics::fast, KvKind::bf16, 0), bf16);
  EXPECT_NE(layout(Numerics::exact, KvKind::automatic, 0), bf16);
  EXPECT_NE(layout(Numerics::automatic, KvKind::bf16, 30), bf16);
}

TEST(PagesDeathTest, StopAtABug) {
  const auto executor = make({.threads = 1, .max_rows = 4, .cache_tokens = 128}, 0);
  std::vector<std::byte> bytes(executor->groups()[0].page_bytes);
  EXPECT_DEATH(executor->copy_page(0, 0, 2), "below n_pages");
  EXPECT_DEATH(executor->copy_page(0, -1, 0), "below n_pages");
  EXPECT_DEATH(executor->read_page(0, 2, bytes), "below n_pages");
  EXPECT_DEATH(executor->write_page(0, 0, std::span(bytes).first(3)), "bytes of one page");
}

}  // namespace
}  // namespace quern
