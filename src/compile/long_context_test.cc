// A long context keeps the promise of the forward pass too: splits of the context, shared by
// threads, change no bit of the rows behind it, in any kind of cache, however its prompt was cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

constexpr int kTokens = 1100, kPrompt = 1060, kPages = 20, kMostRows = 300;

struct Case {
  const char* name;
  KvKind kv;
  int window;
};

class LongContext : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Executor> compiled(int threads) {
    const CompileOptions options = {.threads = threads,
                                    .numerics = Numerics::automatic,
                                    .kv = GetParam().kv,
                                    .max_rows = kMostRows,
                                    .cache_tokens = kPages * 64};
    auto executor = compile(testing::make_tiny_llama({.n_layers = 2,
                                                      .width = 128,
                                                      .n_heads = 6,
                                                      .n_kv_heads = 3,
                                                      .head_dim = 64,
                                                      .linears = Dtype::q8_0,
                                                      .window = GetParam().window}),
                            options);
    CHECK(executor, to_string(executor.error()).c_str());
    return std::move(*executor);
  }

  // Logits of all tokens behind the prompt; `rows` says how many to take next.
  template <class F>
  std::vector<float> run(int threads, F rows) {
    const auto executor = compiled(threads);
    std::vector<int32_t> pages(kPages), tokens(kTokens);
    for (int i = 0; i < kPages; ++i) pages[i] = i * 7 % kPages;
    for (int i = 0; i < kTokens; ++i) tokens[i] = (i * 37 + i * i % 11) % executor->n_vocab();
    std::vector<float> all;
    for (int at = 0, n; at < kTokens; at += n) {
      n = std::min(rows(at), kTokens - at);
      const int n_used = std::clamp(at + n - kPrompt, 0, n);
      const Chunk chunk = {0, n, at, pages, n_used};
      std::vector<int32_t> used;
      for (int i = n - n_used; i < n; ++i) used.push_back(i);
      std::vector<float> logits(used.size() * executor->n_vocab());
      EXPECT_TRUE(executor->forward({std::span(tokens).subspan(at, n), {&chunk, 1}, used}, logits));
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  }
};

TEST_P(LongContext, SplitsThreadsAndChunksChangeNoBit) {
  const auto whole = run(1, [](int) { return kMostRows; });
  ASSERT_EQ(whole.size() % (kTokens - kPrompt), 0u);
  for (const int threads : {2, 5}) {
    std::mt19937 random(threads);
    EXPECT_EQ(whole, run(threads,
                         [&](int at) {
                           return 1 + static_cast<int>(random() % (at < 1000 ? kMostRows : 6));
                         }))
        << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LongContext,
                         ::testing::Values(Case{"bf16", KvKind::bf16, 0},
                                           Case{"bf16_window", KvKind::bf16, 600},
                                           Case{"f16", KvKind::f16, 0},
                                           Case{"int8", KvKind::int8, 0},
                                           Case{"int4_window", KvKind::int4, 600}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace quern
