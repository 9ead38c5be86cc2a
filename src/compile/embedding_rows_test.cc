// A row of the embedding matrix, given in place of its token, gives the token's bits.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "compile/compile.h"
#include "compile/test_isas.h"
#include "support/emulated.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

std::vector<float> logits(Executor& executor, const std::vector<int32_t>& tokens,
                          std::span<const float> embeddings) {
  const auto n = static_cast<int>(tokens.size());
  const std::vector<int32_t> pages{0}, used{n - 1};
  const Chunk chunk = {.first_row = 0, .n_rows = n, .position = 0, .pages = pages, .n_used = 1};
  std::vector<float> out(executor.n_vocab());
  CHECK(executor.forward({tokens, std::span(&chunk, 1), used, embeddings}, out), "a pass works");
  return out;
}

TEST(EmbeddingRowsOfTheCpu, GiveTheBitsOfTheTokensWhoseRowsTheyAre) {
  const auto source = testing::make_tiny_llama({.linears = Dtype::q4_0});
  const auto table = source->find("token_embd.weight");
  ASSERT_EQ(table->dtype, Dtype::f32);
  const auto width = static_cast<size_t>(table->n_cols());
  std::vector<float> rows(3 * width);
  for (const int i : {0, 1, 2})
    std::memcpy(&rows[i * width], table->data.data() + (20 + i) * width * sizeof(float),
                width * sizeof(float));
  for (const std::string& isa : testing::tested_isas(runs_emulated())) {
    for (const Numerics numerics : {Numerics::automatic, Numerics::exact}) {
      const auto executor = compile(
          source,
          {.threads = 2, .numerics = numerics, .max_rows = 8, .cache_tokens = 64, .isa = isa});
      ASSERT_TRUE(executor);
      ASSERT_TRUE((*executor)->takes_embeddings());
      ASSERT_EQ((*executor)->width(), static_cast<int>(width));
      const auto expected = logits(**executor, {1, 22, 20, 5, 22, 3}, {});
      EXPECT_EQ(logits(**executor, {1, -3, -1, 5, 22, 3}, rows), expected);
      EXPECT_NE(logits(**executor, {1, -2, -1, 5, 22, 3}, rows), expected);
    }
  }
}

}  // namespace
}  // namespace quern
