// Executor::embed on the models of tests/data/tiny: the final hidden states are those of
// transformers, their bits do not depend on the batch, chunking or number of threads, and a pass
// that makes them leaves the same cache as one that makes logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "formats/weight_source.h"
#include "support/npz.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;
using Floats = std::vector<float>;

const std::string kTiny = QUERN_SOURCE_DIR "/tests/data/tiny/";
constexpr int kRows = 96, kPages = 8;

std::unique_ptr<Executor> compiled(const std::string& model, Numerics numerics, int threads) {
  auto source = open_model(kTiny + model + ".gguf");
  if (!source) throw std::runtime_error(to_string(source.error()));
  auto executor = compile(
      std::shared_ptr<const WeightSource>(std::move(*source)),
      {.threads = threads, .numerics = numerics, .max_rows = kRows, .cache_tokens = kPages * 64});
  if (!executor) throw std::runtime_error(to_string(executor.error()));
  return std::move(*executor);
}

struct Sequence {
  Ids tokens, pages;
  int n_prompt = 0;  // tokens of Role::prompt
  int n_done = 0;
  Floats results;  // of the used rows: hidden states, or logits
};

enum class Wants { hidden, logits };

// One pass over the next n tokens of each sequence, or what is left.
void pass(Executor& executor, const std::vector<Sequence*>& sequences, int n,
          Wants wants = Wants::hidden) {
  Ids tokens, used;
  std::vector<Chunk> chunks;
  for (const Sequence* s : sequences) {
    const int rows = std::min(n, static_cast<int>(s->tokens.size()) - s->n_done);
    if (rows == 0) continue;
    const int n_used = std::clamp(s->n_done + rows - s->n_prompt, 0, rows);
    chunks.push_back({static_cast<int>(tokens.size()), rows, s->n_done, s->pages, n_used});
    const auto first = s->tokens.begin() + s->n_done;
    tokens.insert(tokens.end(), first, first + rows);
    for (int j = n_used; j > 0; --j) used.push_back(static_cast<int32_t>(tokens.size()) - j);
  }
  const size_t width = wants == Wants::hidden ? executor.width() : executor.n_vocab();
  Floats results(used.size() * width);
  const Batch batch = {tokens, chunks, used};
  const auto done =
      wants == Wants::hidden ? executor.embed(batch, results) : executor.forward(batch, results);
  ASSERT_TRUE(done) << to_string(done.error());
  auto from = results.begin();
  size_t i = 0;
  for (Sequence* s : sequences) {
    if (s->n_done == static_cast<int>(s->tokens.size())) continue;
    const Chunk& chunk = chunks[i++];
    const auto to = from + static_cast<int64_t>(chunk.n_used * width);
    s->results.insert(s->results.end(), from, to);
    from = to;
    s->n_done += chunk.n_rows;
  }
}

Floats alone(Executor& executor, const Ids& tokens, int n_prompt, int chunk, const Ids& pages,
             Wants wants = Wants::hidden) {
  Sequence s{tokens, pages, n_prompt};
  while (s.n_done < static_cast<int>(tokens.size())) pass(executor, {&s}, chunk, wants);
  return s.results;
}

const Ids kFirstPages = {0, 1, 2}, kOtherPages = {7, 3, 5};

class HiddenStates : public ::testing::TestWithParam<std::string> {
 protected:
  HiddenStates() : arrays_(*testing::read_npz(kTiny + GetParam() + ".npz")) {
    const auto ids = arrays_.at("tokens").as<int32_t>();
    tokens_.assign(ids.begin(), ids.end());
  }
  testing::Arrays arrays_;
  Ids tokens_;
};

TEST_P(HiddenStates, AreThoseOfTransformers) {
  const auto executor = compiled(GetParam(), Numerics::exact, 2);
  const auto expected = arrays_.at("hidden").as<float>();
  const int width = executor->width();
  ASSERT_EQ(arrays_.at("hidden").shape, (std::vector<int64_t>{std::ssize(tokens_), width}));
  for (const int chunk : {7, kRows}) {
    const Floats got = alone(*executor, tokens_, 0, chunk, kFirstPages);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t row = 0; row < got.size(); row += width) {
      float most = 0, error = 0;
      for (int i = 0; i < width; ++i) {
        most = std::max(most, std::abs(expected[row + i]));
        error = std::max(error, std::abs(got[row + i] - expected[row + i]));
      }
      ASSERT_LT(error, 1e-4f * most) << "chunks of " << chunk << ", row " << row / width;
    }
  }
}

TEST_P(HiddenStates, BitsDependOnNoCompanyChunkOrThread) {
  for (const auto numerics : {Numerics::exact, Numerics::automatic}) {
    const auto one = compiled(GetParam(), numerics, 1), three = compiled(GetParam(), numerics, 3);
    for (const int n_prompt : {0, static_cast<int>(tokens_.size()) - 1}) {
      const Floats expected = alone(*one, tokens_, n_prompt, kRows, kFirstPages);
      for (const int chunk : {1, 29, 64})
        EXPECT_EQ(alone(*three, tokens_, n_prompt, chunk, kOtherPages), expected)
            << name(numerics) << ", chunks of " << chunk;
      Sequence mine{tokens_, kFirstPages, n_prompt}, other{tokens_, kOtherPages, 11};
      std::reverse(other.tokens.begin(), other.tokens.end());
      pass(*three, {&other}, 5);
      while (mine.n_done < static_cast<int>(tokens_.size())) pass(*three, {&other, &mine}, 13);
      EXPECT_EQ(mine.results, expected) << name(numerics) << ", in company";
    }
  }
}

// Passes of both kinds follow each other on one executor: queues and cache stay right.
TEST_P(HiddenStates, APassThatMakesThemChangesNoLogits) {
  const auto executor = compiled(GetParam(), Numerics::automatic, 3);
  const Floats expected = alone(*executor, tokens_, 0, kRows, kFirstPages, Wants::logits);
  const size_t n_vocab = executor->n_vocab();
  Sequence s{tokens_, kOtherPages};
  bool hidden = true;
  for (; s.n_done < static_cast<int>(tokens_.size()); hidden = !hidden) {
    const size_t done = s.n_done;
    s.results.clear();
    pass(*executor, {&s}, 5, hidden ? Wants::hidden : Wants::logits);
    if (hidden) continue;
    const auto from = expected.begin() + static_cast<int64_t>(done * n_vocab);
    EXPECT_EQ(s.results, Floats(from, from + std::ssize(s.results))) << "from token " << done;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, HiddenStates,
                         ::testing::Values("llama_mha", "llama_gqa3_tied", "llama_gqa4_head_dim",
                                           "llama_bias", "llama_rope3", "llama_head_dim_20",
                                           "llama_three_pages", "llama_rope_linear", "mistral",
                                           "mistral_window", "qwen2_bias_tied", "qwen2_untied",
                                           "bitnet_b158", "bitnet_25_i2_s", "bitnet_silu_scales"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace quern
