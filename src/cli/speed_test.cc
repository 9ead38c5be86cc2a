#include "cli/speed.h"

#include <gtest/gtest.h>

#include <memory>

namespace quern::cli {
namespace {

// Writes down what it is asked to do.
class Recorder : public Executor {
 public:
  int n_vocab() const override { return 10; }
  int max_rows() const override { return 8; }
  int page_tokens() const override { return 4; }
  int n_pages() const override { return 5; }
  int64_t page_bytes() const override { return 1; }
  Result<> forward(const Batch& batch, std::span<float> logits) override {
    EXPECT_EQ(batch.chunks.size(), 1u);
    EXPECT_EQ(logits.size(), 10u);
    const Chunk& chunk = batch.chunks[0];
    EXPECT_EQ(chunk.n_rows, std::ssize(batch.tokens));
    EXPECT_EQ(std::ssize(chunk.pages), (chunk.position + chunk.n_rows + 3) / 4);
    EXPECT_EQ(batch.used[0], chunk.n_rows - 1);
    for (const int32_t token : batch.tokens) EXPECT_TRUE(token >= 0 && token < 10);
    passes.push_back({chunk.position, chunk.n_rows});
    return Ok{};
  }
  std::vector<std::pair<int, int>> passes;  // position, rows
};

const auto kAlways = [](int) { return true; };

TEST(Speed, FeedsAPromptInPasses) {
  Recorder recorder;
  const auto speed = measure(recorder, {.n_prompt = 20}, 100, 1, kAlways);
  ASSERT_TRUE(speed);
  EXPECT_EQ(speed->samples.size(), 1u);
  const std::vector<std::pair<int, int>> once{{0, 8}, {8, 8}, {16, 4}};
  std::vector<std::pair<int, int>> twice = once;  // one run to warm up
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(recorder.passes, twice);
}

TEST(Speed, GeneratesOneTokenAPass) {
  Recorder recorder;
  ASSERT_TRUE(measure(recorder, {.n_gen = 3}, 8, 2, kAlways));
  EXPECT_EQ(recorder.passes.size(), 9u);
  EXPECT_EQ(recorder.passes[4], (std::pair{1, 1}));
}

TEST(Speed, CanBeStopped) {
  Recorder recorder;
  const auto speed = measure(recorder, {.n_gen = 3}, 8, 5, [](int run) { return run < 1; });
  ASSERT_FALSE(speed);
  EXPECT_EQ(speed.error().code, Code::cancelled);
}

TEST(Speed, HasMeanAndDeviation) {
  const Speed speed{{2, 4, 6}};
  EXPECT_EQ(speed.mean(), 4);
  EXPECT_EQ(speed.deviation(), 2);
  EXPECT_EQ(Speed{{5}}.deviation(), 0);
}

class Weights : public WeightSource {
 public:
  explicit Weights(std::vector<Weight> weights) : weights_(std::move(weights)) {}
  const std::string& path() const override { return text_; }
  std::string_view format() const override { return text_; }
  const std::string& architecture() const override { return text_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const Weight> weights() const override { return weights_; }
  int64_t file_bytes() const override { return 0; }

 private:
  std::string text_;
  Metadata metadata_;
  std::vector<Weight> weights_;
};

Weight weight(const char* name, std::vector<int64_t> dims) {
  static const std::byte kBytes[64]{};
  size_t n = 1;
  for (const int64_t dim : dims) n *= static_cast<size_t>(dim);
  return {name, Dtype::i8, std::move(dims), std::span(kBytes).first(n)};
}

TEST(Work, CountsWhatATokenIsMultipliedWith) {
  const Weight layer = weight("blk.0.ffn_up.weight", {4, 2}), norm = weight("blk.0.norm", {2}),
               head = weight("output.weight", {8, 2}), table = weight("token_embd.weight", {8, 2});
  const Work untied = work_of(Weights({layer, norm, head, table}));
  EXPECT_EQ(untied.bytes, 8 + 16);
  EXPECT_EQ(untied.weights, 8 + 16);
  EXPECT_EQ(untied.body_weights, 8);
  const Work tied = work_of(Weights({layer, norm, table}));
  EXPECT_EQ(tied.weights, 8 + 16);
  EXPECT_EQ(tied.body_weights, 8);
}

}  // namespace
}  // namespace quern::cli
