// The promise of backend/executor.h on every model file of tests/data/tiny, that is for every
// tensor type and variant of the family: a row's bits depend on the tokens up to its position and
// their roles, not on the rows beside it, the chunks its prompt was cut into, the threads, or what
// its pages held before. (Every instruction set, on fewer models: compile/invariance_test.cc.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "formats/weight_source.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;
using Rows = std::vector<std::vector<float>>;  // logits, row by row

struct Case {
  std::string model;
  Numerics numerics;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.model << " " << name(c.numerics); }

constexpr int kRows = 96;
constexpr int kPages = 16;

std::unique_ptr<Executor> compiled(const Case& c, int threads) {
  auto source = open_model(QUERN_SOURCE_DIR "/tests/data/tiny/" + c.model + ".gguf");
  if (!source) throw std::runtime_error(to_string(source.error()));
  auto executor = compile(
      std::shared_ptr<const WeightSource>(std::move(*source)),
      {.threads = threads, .numerics = c.numerics, .max_rows = kRows, .cache_tokens = kPages * 64});
  if (!executor) throw std::runtime_error(to_string(executor.error()));
  return std::move(*executor);
}

// One sequence with pages of its own in a cache that others use too.
struct Sequence {
  Ids tokens;
  Ids pages;
  int n_prompt = 0;  // tokens of Role::prompt
  int n_done = 0;
  Rows logits;
};

// One pass over the next n[i] tokens of each sequence; all logits behind the prompts are wanted.
void forward(Executor& executor, std::vector<Sequence*> sequences, std::vector<int> n) {
  Ids tokens, used;
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < sequences.size(); ++i) {
    Sequence& s = *sequences[i];
    const int n_used = std::clamp(s.n_done + n[i] - s.n_prompt, 0, n[i]);
    chunks.push_back({static_cast<int>(tokens.size()), n[i], s.n_done, s.pages, n_used});
    tokens.insert(tokens.end(), s.tokens.begin() + s.n_done, s.tokens.begin() + s.n_done + n[i]);
    for (int j = n_used; j > 0; --j) used.push_back(static_cast<int32_t>(tokens.size()) - j);
  }
  const size_t n_vocab = executor.n_vocab();
  std::vector<float> logits(used.size() * n_vocab);
  const auto outcome = executor.forward({tokens, chunks, used}, logits);
  ASSERT_TRUE(outcome) << to_string(outcome.error());
  const float* row = logits.data();
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (int j = 0; j < chunks[i].n_used; ++j, row += n_vocab)
      sequences[i]->logits.emplace_back(row, row + n_vocab);
    sequences[i]->n_done += n[i];
  }
}

Ids random_tokens(const Executor& executor, int n, uint32_t seed) {
  std::mt19937 random(seed);
  Ids tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % executor.n_vocab());
  return tokens;
}

void expect_same_bits(const Rows& got, const Rows& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(std::memcmp(got[i].data(), expected[i].data(), got[i].size() * sizeof(float)), 0)
        << what << ", row " << i;
  }
}

class Invariance : public testing::TestWithParam<Case> {
 protected:
  static constexpr int kTokens = 90;  // more than a page, less than a pass

  Rows in_one_go(const Ids& tokens, int threads, int n_prompt = 0) {
    const auto executor = compiled(GetParam(), threads);
    Sequence s{tokens, {0, 1}, n_prompt};
    forward(*executor, {&s}, {static_cast<int>(tokens.size())});
    return s.logits;
  }
};

TEST_P(Invariance, ChunkingAndThreadsChangeNoBit) {
  const auto executor = compiled(GetParam(), 1);
  const Ids tokens = random_tokens(*executor, kTokens, 1);
  constexpr int kPrompt = 50;
  const Rows expected = in_one_go(tokens, 1, kPrompt);
  const auto with_threads = compiled(GetParam(), 3);
  for (const int chunk : {1, 29, 64, kTokens}) {
    Sequence s{tokens, {5, 2}, kPrompt};
    for (int n; (n = std::min(chunk, kTokens - s.n_done)) > 0;) forward(*with_threads, {&s}, {n});
    expect_same_bits(s.logits, expected, "chunks of " + std::to_string(chunk));
  }
}

TEST_P(Invariance, SequencesInOneBatchHaveTheBitsOfEachAlone) {
  const auto executor = compiled(GetParam(), 2);
  std::mt19937 random(3);
  for (int round = 0; round < 2; ++round) {
    std::vector<Sequence> crowd;
    for (int i = 0; i < 4; ++i) {
      const int n = 1 + static_cast<int>(random() % kTokens);
      crowd.push_back({random_tokens(*executor, n, random()),
                       {7 - 2 * i, 6 - 2 * i},
                       static_cast<int>(random() % n)});
    }
    for (;;) {  // a few tokens of each at a time, as prompts and streams share a step
      std::vector<Sequence*> going;
      std::vector<int> n;
      for (Sequence& s : crowd) {
        const int left = static_cast<int>(s.tokens.size()) - s.n_done;
        if (left == 0) continue;
        going.push_back(&s);
        n.push_back(std::min<int>(left, 1 + static_cast<int>(random() % 24)));
      }
      if (going.empty()) break;
      forward(*executor, going, n);
    }
    for (const Sequence& s : crowd)
      expect_same_bits(s.logits, in_one_go(s.tokens, 2, s.n_prompt),
                       "round " + std::to_string(round));
  }
}

TEST_P(Invariance, WhatAPageHeldBeforeChangesNoBit) {
  const auto executor = compiled(GetParam(), 2);
  Sequence before{random_tokens(*executor, kTokens, 8), {3, 4}};
  forward(*executor, {&before}, {kTokens});
  // A new sequence in the same pages, then one that keeps 40 tokens of it, as prefix reuse does.
  Sequence fresh{random_tokens(*executor, 70, 9), {3, 4}};
  forward(*executor, {&fresh}, {70});
  expect_same_bits(fresh.logits, in_one_go(fresh.tokens, 2), "fresh");
  Sequence reusing = fresh;
  reusing.n_done = 40;
  reusing.logits.resize(40);
  const Ids other = random_tokens(*executor, 50, 10);
  reusing.tokens.resize(40);
  reusing.tokens.insert(reusing.tokens.end(), other.begin(), other.end());
  forward(*executor, {&reusing}, {50});
  expect_same_bits(reusing.logits, in_one_go(reusing.tokens, 2), "reusing");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& entry :
       std::filesystem::directory_iterator(QUERN_SOURCE_DIR "/tests/data/tiny")) {
    if (entry.path().extension() != ".gguf") continue;
    const std::string name = entry.path().stem().string();
    all.push_back({name, Numerics::automatic});
    if (!name.starts_with("llama")) continue;
    for (const auto numerics : {Numerics::exact, Numerics::fine, Numerics::fast})
      all.push_back({name, numerics});
  }
  std::sort(all.begin(), all.end(), [](const Case& a, const Case& b) { return a.model < b.model; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Tiny, Invariance, testing::ValuesIn(cases()), [](const auto& test) {
  return test.param.model + "_" + name(test.param.numerics);
});

}  // namespace
}  // namespace quern
