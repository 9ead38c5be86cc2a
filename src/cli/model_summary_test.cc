#include "cli/model_summary.h"

#include <gtest/gtest.h>

#include <limits>

namespace quern::cli {
namespace {

class Described : public WeightSource {
 public:
  explicit Described(std::string architecture) : architecture_(std::move(architecture)) {
    metadata_.entries["general.architecture"] = architecture_;
  }
  Described& key(const char* name, MetaValue value) {
    metadata_.entries[name] = std::move(value);
    return *this;
  }
  Described& weight(const char* name, Dtype dtype, std::vector<int64_t> dims, size_t bytes) {
    weights_.push_back({name, dtype, std::move(dims), std::span(kBytes).first(bytes)});
    return *this;
  }
  const std::string& path() const override { return path_; }
  std::string_view format() const override { return "test"; }
  const std::string& architecture() const override { return architecture_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const Weight> weights() const override { return weights_; }
  int64_t file_bytes() const override { return 1234; }

 private:
  static constexpr std::byte kBytes[4096]{};
  std::string path_ = "model.test", architecture_;
  Metadata metadata_;
  std::vector<Weight> weights_;
};

TEST(ModelSummary, DescribesWhatItCannotRun) {
  Described model("hypothetical");
  model.key("hypothetical.block_count", int64_t{2})
      .key("hypothetical.embedding_length", int64_t{64})
      .key("hypothetical.attention.head_count", int64_t{4})
      .key("hypothetical.attention.head_count_kv", std::vector<int64_t>{2, 1})
      .key("hypothetical.expert_count", int64_t{8})
      .weight("a.weight", Dtype::q8_0, {2, 32}, 68)
      .weight("b.weight", Dtype::f32, {8}, 32);
  const ModelSummary summary = summarize(model);
  EXPECT_FALSE(summary.runs);
  EXPECT_NE(summary.why_not.find("hypothetical"), std::string::npos);
  EXPECT_EQ(summary.n_layers, 2);
  EXPECT_EQ(summary.head_dim, 16);
  EXPECT_EQ(summary.n_kv_heads, 2);
  EXPECT_EQ(summary.n_experts, 8);
  EXPECT_EQ(summary.cache_bytes_per_token, (2 + 1) * 16 * 2 * 2);  // heads, dims, k and v, bf16
  EXPECT_EQ(summary.n_parameters, 72);
  EXPECT_EQ(summary.weight_bytes, 100);
  ASSERT_EQ(summary.types.size(), 2u);
  EXPECT_EQ(summary.types[0].dtype, Dtype::q8_0);  // the larger share first
  EXPECT_DOUBLE_EQ(summary.bits_per_weight(), 800.0 / 72);
}

TEST(ModelSummary, SurvivesAbsurdNumbers) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  Described model("x");
  for (const char* name : {"x.block_count", "x.embedding_length", "x.attention.head_count",
                           "x.attention.key_length", "x.attention.value_length"})
    model.key(name, kHuge);
  EXPECT_GE(summarize(model).cache_bytes_per_token, 0);
  for (const char* name : {"x.block_count", "x.attention.head_count", "x.attention.head_count_kv"})
    model.key(name, int64_t{-1});
  EXPECT_EQ(summarize(model).cache_bytes_per_token, 0);
  EXPECT_EQ(summarize(Described("")).n_layers, 0);
}

TEST(ModelSummary, ChecksTheTemplate) {
  Described good("x"), bad("x");
  good.key("tokenizer.chat_template",
           std::string("{% for m in messages %}{{ m.content }}{% endfor %}"));
  bad.key("tokenizer.chat_template", std::string("{% for m in %}"));
  EXPECT_TRUE(summarize(good).chat_template.error.empty());
  EXPECT_FALSE(summarize(bad).chat_template.error.empty());
  EXPECT_TRUE(summarize(Described("x")).chat_template.source.empty());
}

TEST(ModelSummary, ListsSpecialTokens) {
  Described model("x");
  model.key("tokenizer.ggml.model", std::string("gpt2"))
      .key("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "<s>"})
      .key("tokenizer.ggml.bos_token_id", int64_t{2})
      .key("tokenizer.ggml.eos_token_id", int64_t{99});  // beyond the vocabulary: shown as it is
  const TokenizerSummary tokenizer = summarize(model).tokenizer;
  EXPECT_EQ(tokenizer.n_tokens, 3);
  EXPECT_EQ(tokenizer.special, (std::map<std::string, int64_t>{{"bos", 2}, {"eos", 99}}));
  EXPECT_TRUE(tokenizer.ends.empty());
}

TEST(ModelSummary, ListsWhatEndsATurnAndWhy) {
  Described model("x");
  model.key("tokenizer.ggml.model", std::string("gpt2"))
      .key("tokenizer.ggml.tokens", std::vector<std::string>{"a", "<EOT>", "<s>", "<|im_end|>"})
      .key("tokenizer.ggml.token_type", std::vector<int64_t>{1, 1, 3, 3})
      .key("tokenizer.ggml.eos_token_id", int64_t{2});
  std::vector<std::string> lines;
  for (const EndSummary& end : summarize(model).tokenizer.ends)
    lines.push_back(std::to_string(end.id) + " " + end.text + " " + end.why);
  EXPECT_EQ(lines, (std::vector<std::string>{"1 <EOT> its text, in the file an ordinary token",
                                             "2 <s> eos_token_id", "3 <|im_end|> its text"}));
  EXPECT_TRUE(summarize(Described("x")).tokenizer.ends.empty());
}

}  // namespace
}  // namespace quern::cli
