// The promise of the forward pass: a row's bits depend on the tokens before it alone - not on
// chunking, on other sequences of the batch, on where its pages lie, or on the number of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "compile/test_isas.h"
#include "support/emulated.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;
using testing::TinyLlama;

constexpr int kTokens = 150;  // three pages

std::vector<int32_t> sequence(int n, int seed) {
  std::vector<int32_t> tokens(n);
  for (int i = 0; i < n; ++i) tokens[i] = (i * 37 + seed * 11 + i * i % 7) % 96;
  return tokens;
}

// One sequence on its way through an executor.
struct Running {
  std::vector<int32_t> tokens, pages;
  int done = 0;
  std::vector<float> logits;
};

class Driver {
 public:
  Driver(const TinyLlama& shape, Numerics numerics, int threads, const std::string& isa) {
    CompileOptions options = {.threads = threads,
                              .numerics = numerics,
                              .max_rows = 2 * kTokens,
                              .cache_tokens = 512,
                              .isa = isa};
    auto executor = compile(make_tiny_llama(shape), options);
    CHECK(executor, to_string(executor.error()).c_str());
    executor_ = std::move(*executor);
  }

  // Feeds the next n tokens of each sequence (as many as are left) in one batch; logits of every
  // row.
  void step(std::vector<Running*> sequences, int n) {
    std::vector<int32_t> tokens, used;
    std::vector<Chunk> chunks;
    for (Running* s : sequences) {
      const int rows = std::min(n, static_cast<int>(s->tokens.size()) - s->done);
      if (rows == 0) continue;
      chunks.push_back({static_cast<int>(tokens.size()), rows, s->done, s->pages, rows});
      tokens.insert(tokens.end(), s->tokens.begin() + s->done, s->tokens.begin() + s->done + rows);
    }
    for (size_t i = 0; i < tokens.size(); ++i) used.push_back(static_cast<int32_t>(i));
    std::vector<float> logits(tokens.size() * executor_->n_vocab());
    ASSERT_TRUE(executor_->forward({tokens, chunks, used}, logits));
    size_t chunk = 0;
    for (Running* s : sequences) {
      if (s->done == static_cast<int>(s->tokens.size())) continue;
      const Chunk& c = chunks[chunk++];
      const auto from = logits.begin() + static_cast<int64_t>(c.first_row) * executor_->n_vocab();
      s->logits.insert(s->logits.end(), from,
                       from + static_cast<int64_t>(c.n_rows) * executor_->n_vocab());
      s->done += c.n_rows;
    }
  }

  std::vector<float> alone(int chunk, std::vector<int32_t> pages = {0, 1, 2}) {
    Running s = {sequence(kTokens, 1), std::move(pages)};
    while (s.done < kTokens) step({&s}, chunk);
    return s.logits;
  }

 private:
  std::unique_ptr<Executor> executor_;
};

struct Case {
  std::string name;
  TinyLlama shape;
  Numerics numerics;
  std::string isa;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& isa : testing::tested_isas(runs_emulated())) {
    all.push_back({isa + "_exact_f32", {}, Numerics::exact, isa});
    all.push_back(
        {isa + "_fast_f16", {.biases = true, .linears = Dtype::f16}, Numerics::fast, isa});
    all.push_back({isa + "_fast_fp8",
                   {.linears = Dtype::f8_e4m3, .embedding = Dtype::f8_e5m2},
                   Numerics::fast,
                   isa});
    all.push_back({isa + "_exact_q4_1",
                   {.linears = Dtype::q4_1, .embedding = Dtype::q8_0},
                   Numerics::exact,
                   isa});
    all.push_back({isa + "_fast_q4_1",
                   {.tied_head = true, .linears = Dtype::q4_1, .embedding = Dtype::q8_0},
                   Numerics::fast,
                   isa});
    all.push_back({isa + "_fast_q4_0_odd_heads",
                   {.n_heads = 3,
                    .n_kv_heads = 3,
                    .head_dim = 32,
                    .rope_factors = true,
                    .linears = Dtype::q4_0,
                    .window = 40},
                   Numerics::fast,
                   isa});
  }
  return all;
}

class Invariance : public ::testing::TestWithParam<Case> {};

TEST_P(Invariance, BitsDoNotDependOnChunkingThreadsPagesOrCompany) {
  const Case& c = GetParam();
  Driver one(c.shape, c.numerics, 1, c.isa), three(c.shape, c.numerics, 3, c.isa);
  const std::vector<float> whole = one.alone(kTokens);
  for (float x : whole) ASSERT_TRUE(std::isfinite(x));
  for (int chunk : {1, 7, 64, 65}) EXPECT_EQ(whole, one.alone(chunk)) << "chunks of " << chunk;
  EXPECT_EQ(whole, three.alone(kTokens)) << "three threads";
  EXPECT_EQ(whole, three.alone(13)) << "three threads, chunks of 13";
  EXPECT_EQ(whole, one.alone(kTokens, {7, 2, 5})) << "other pages";

  Running mine = {sequence(kTokens, 1), {4, 1, 6}}, other = {sequence(97, 2), {0, 3}},
          late = {sequence(20, 3), {2}};
  three.step({&other, &mine}, 33);
  three.step({&late, &mine, &other}, 1);
  while (mine.done < kTokens) three.step({&other, &late, &mine}, 29);
  EXPECT_EQ(whole, mine.logits) << "in company";
}

TEST_P(Invariance, EveryInstructionSetGivesTheScalarBitsOfTheExactPath) {
  const Case& c = GetParam();
  if (c.numerics != Numerics::exact) return;
  Driver scalar(c.shape, c.numerics, 2, "scalar"), here(c.shape, c.numerics, 2, c.isa);
  EXPECT_EQ(scalar.alone(64), here.alone(64));
}

INSTANTIATE_TEST_SUITE_P(All, Invariance, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quern
