#include "api/random_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/config.h"
#include "quant/format.h"

namespace quern {
namespace {

TEST(RandomModel, IsALlamaOfTheShape) {
  const auto model = random_model("smollm2-135m", "q4_0");
  ASSERT_TRUE(model) << to_string(model.error());
  const auto config = read_config(**model);
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(config->n_layers, 30);
  EXPECT_EQ(config->n_kv_heads, 3);
  EXPECT_TRUE(config->tied_head);
  int64_t n = 0;
  for (const Weight& weight : (*model)->weights()) n += weight.n_rows() * weight.n_cols();
  EXPECT_EQ(n, 134515008);
}

TEST(RandomModel, WeightsAreFiniteNoise) {
  const auto model = random_model("smollm2-135m", "q8_0");
  ASSERT_TRUE(model);
  for (const char* name : {"blk.0.attn_q.weight", "blk.29.ffn_down.weight", "token_embd.weight"}) {
    const Weight* weight = (*model)->find(name);
    ASSERT_TRUE(weight) << name;
    const QuantMatrix matrix{weight->dtype, weight->n_rows(), weight->n_cols(), weight->data};
    std::vector<float> row(static_cast<size_t>(weight->n_cols()));
    find_format(weight->dtype)->decode(matrix, weight->n_rows() - 1, 1, row.data());
    double sum = 0, squares = 0;
    for (const float value : row) {
      ASSERT_TRUE(std::isfinite(value));
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const auto n_values = static_cast<double>(row.size());
    EXPECT_GT(squares / n_values, 1e-5) << name;  // no constant
    EXPECT_LT(std::abs(sum / n_values), 0.02) << name;
  }
}

TEST(RandomModel, NamesWhatThereIs) {
  const auto shape = random_model("gpt-9", "q4_0");
  ASSERT_FALSE(shape);
  EXPECT_NE(shape.error().fix.find("llama-3.2-1b"), std::string::npos);
  const auto format = random_model("smollm2-135m", "q9");
  ASSERT_FALSE(format);
  EXPECT_NE(format.error().fix.find("q4_0"), std::string::npos);
}

TEST(RandomModel, RefusesRowsThatAreNoWholeBlocks) {
  for (const auto name : random_format_names()) {
    const Format* format = nullptr;
    for (const Format* candidate : formats())
      if (info(candidate->dtype).name == name) format = candidate;
    if (matrix_bytes(format->dtype, 192, 576) >= 0) continue;
    const auto model = random_model("smollm2-135m", name);  // rows of 576
    ASSERT_FALSE(model) << name;
    EXPECT_EQ(model.error().code, Code::unsupported);
  }
}

}  // namespace
}  // namespace quern
