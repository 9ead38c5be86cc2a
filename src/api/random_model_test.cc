#include "api/random_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/family.h"
#include "quant/format.h"

namespace quern {
namespace {

TEST(RandomModel, IsALlamaOfTheShape) {
  const auto model = random_model("smollm2-135m", {"q4_0"});
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
  const auto model = random_model("smollm2-135m", {"q8_0"});
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

int64_t parameters(const WeightSource& model) {
  int64_t n = 0;
  for (const Weight& weight : model.weights()) n += weight.n_rows() * weight.n_cols();
  return n;
}

TEST(RandomModel, MakesAQwenWithBiases) {
  const auto model = random_model("qwen2.5-1.5b", {"q4_0", "q8_0"});
  ASSERT_TRUE(model) << to_string(model.error());
  EXPECT_EQ((*model)->architecture(), "qwen2");
  EXPECT_EQ(parameters(**model), 1543714304);
  EXPECT_EQ((*model)->find("token_embd.weight")->dtype, Dtype::q8_0);
  ASSERT_TRUE((*model)->find("blk.27.attn_k.bias"));
  EXPECT_EQ((*model)->find("blk.27.attn_k.bias")->dims, std::vector<int64_t>{256});
  EXPECT_FALSE((*model)->find("blk.0.attn_output.bias"));
  const auto config = read_config(**model);
  ASSERT_TRUE(config);
  EXPECT_FLOAT_EQ(config->epsilon, 1e-6f);
  EXPECT_TRUE(build_graph(**model, *config));
}

TEST(RandomModel, MakesABitnetWithAnotherHead) {
  for (const char* name : {"tq1_0", "tq2_0", "i2_s"}) {
    const auto model = random_model("bitnet-2b-4t", {name});
    ASSERT_TRUE(model) << to_string(model.error());
    EXPECT_EQ((*model)->architecture(), "bitnet-b1.58");
    EXPECT_EQ(parameters(**model), 2412820480);
    EXPECT_EQ(info((*model)->find("blk.3.ffn_down.weight")->dtype).name, name);
    EXPECT_EQ((*model)->find("token_embd.weight")->dtype, Dtype::q6_k);
    EXPECT_EQ((*model)->find("blk.3.attn_sub_norm.weight")->dims, std::vector<int64_t>{2560});
    EXPECT_EQ((*model)->find("blk.3.ffn_sub_norm.weight")->dims, std::vector<int64_t>{6912});
    const auto config = read_config(**model);
    ASSERT_TRUE(config);
    EXPECT_TRUE(build_graph(**model, *config));
  }
}

TEST(RandomModel, NamesWhatThereIs) {
  const auto shape = random_model("gpt-9", {});
  ASSERT_FALSE(shape);
  EXPECT_NE(shape.error().fix.find("llama-3.2-1b"), std::string::npos);
  const auto format = random_model("smollm2-135m", {"q9"});
  ASSERT_FALSE(format);
  EXPECT_NE(format.error().fix.find("q4_0"), std::string::npos);
}

TEST(RandomModel, RefusesRowsThatAreNoWholeBlocks) {
  for (const auto name : random_format_names()) {
    const Format* format = nullptr;
    for (const Format* candidate : formats())
      if (info(candidate->dtype).name == name) format = candidate;
    if (matrix_bytes(format->dtype, 192, 576) >= 0) continue;
    const auto model = random_model("smollm2-135m", {std::string(name), "q8_0"});  // rows of 576
    ASSERT_FALSE(model) << name;
    EXPECT_EQ(model.error().code, Code::unsupported);
  }
}

}  // namespace
}  // namespace quern
