#include "measure/speed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

namespace quern::measure {
namespace {

// An executor that records its calls.
class Recorder : public Executor {
 public:
  struct Pass {
    int position, rows, seqs, used;
    std::vector<int32_t> first_pages;  // of each sequence
    bool operator==(const Pass&) const = default;
  };
  int n_vocab() const override { return 10; }
  int max_rows() const override { return 8; }
  int page_tokens() const override { return 4; }
  std::span<const CacheGroup> groups() const override { return {&group_, 1}; }
  void copy_page(int, int32_t, int32_t) override {}
  void read_page(int, int32_t, std::span<std::byte>) const override {}
  void write_page(int, int32_t, std::span<const std::byte>) override {}
  std::string page_layout() const override { return "recorder"; }
  Result<> forward(const Batch& batch, std::span<float> logits) override {
    EXPECT_EQ(logits.size(), 10 * batch.used.size());
    Pass pass{batch.chunks[0].position,
              batch.chunks[0].n_rows,
              static_cast<int>(batch.chunks.size()),
              static_cast<int>(batch.used.size()),
              {}};
    for (size_t i = 0; i < batch.chunks.size(); ++i) {
      const Chunk& chunk = batch.chunks[i];
      EXPECT_EQ(chunk.first_row, static_cast<int>(i) * pass.rows);
      EXPECT_EQ(chunk.position, pass.position);
      const auto pages = chunk.pages[0];
      EXPECT_GE(std::ssize(pages), (chunk.position + chunk.n_rows + 3) / 4);
      for (size_t j = 1; j < pages.size(); ++j) EXPECT_EQ(pages[j], pages[j - 1] + 1);
      EXPECT_LT(pages.back(), group_.n_pages);
      EXPECT_EQ(chunk.n_used, batch.used.empty() ? 0 : 1);
      if (!batch.used.empty()) {
        EXPECT_EQ(batch.used[i], chunk.first_row + pass.rows - 1);
      }
      pass.first_pages.push_back(pages[0]);
    }
    EXPECT_EQ(std::ssize(batch.tokens), pass.rows * pass.seqs);
    for (const int32_t token : batch.tokens) EXPECT_TRUE(token >= 0 && token < 10);
    passes.push_back(pass);
    return Ok{};
  }
  std::vector<Pass> passes;

 private:
  CacheGroup group_ = {.name = "full", .n_pages = 12, .page_bytes = 1};
};

const auto kAlways = [](int) { return true; };
const auto kNoProbe = [] { return Moment{}; };

std::vector<Recorder::Pass> passes(const std::vector<SpeedTest>& tests, int rows, int repetitions) {
  Recorder recorder;
  Speedometer speedometer(recorder, rows, kNoProbe);
  for (const SpeedTest& test : tests) {
    const auto samples = speedometer.measure(test, repetitions, kAlways);
    EXPECT_TRUE(samples);
    EXPECT_EQ(std::ssize(*samples), repetitions);
  }
  return recorder.passes;
}

using Passes = std::vector<Recorder::Pass>;

TEST(Speed, FeedsAPromptInPassesAndWantsTheLastLogits) {
  const Passes once{{0, 8, 1, 0, {0}}, {8, 8, 1, 0, {0}}, {16, 4, 1, 1, {0}}};
  Passes twice = once;  // one run to warm up
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(passes({{.n_prompt = 20}}, 100, 1), twice);
}

TEST(Speed, GeneratesOneTokenAPass) {
  const Passes want{{0, 1, 1, 1, {0}}, {1, 1, 1, 1, {0}}};
  EXPECT_EQ(passes({{.n_gen = 2}}, 8, 0), want);
}

TEST(Speed, FillsTheCacheOnceBeforeADeepTest) {
  // The second test finds the first one's tokens in the cache.
  const Passes want{{0, 5, 1, 0, {0}}, {5, 1, 1, 0, {0}},  {6, 3, 1, 1, {0}}, {6, 3, 1, 1, {0}},
                    {9, 1, 1, 0, {0}}, {10, 1, 1, 1, {0}}, {10, 1, 1, 1, {0}}};
  EXPECT_EQ(passes({{.n_prompt = 3, .n_depth = 6}, {.n_gen = 1, .n_depth = 10}}, 5, 1), want);
}

TEST(Speed, SequencesHaveTheirOwnPages) {
  // 5 + 2 tokens are two pages; prompts one by one, then all in one batch.
  const Passes want{{0, 5, 1, 0, {0}},
                    {0, 5, 1, 0, {2}},
                    {0, 5, 1, 0, {4}},
                    {5, 1, 3, 3, {0, 2, 4}},
                    {6, 1, 3, 3, {0, 2, 4}}};
  EXPECT_EQ(passes({{.n_prompt = 5, .n_gen = 2, .n_seqs = 3}}, 8, 0), want);
  // What they wrote is not what a single long sequence has.
  const Passes after = passes({{4, 1, 2, 0}, {.n_gen = 1, .n_depth = 5}}, 8, 0);
  EXPECT_EQ(after[after.size() - 2], (Recorder::Pass{0, 5, 1, 0, {0}}));
}

TEST(Speed, CanBeStopped) {
  Recorder recorder;
  const auto samples =
      Speedometer(recorder, 8, kNoProbe).measure({.n_gen = 3}, 5, [](int run) { return run < 1; });
  ASSERT_FALSE(samples);
  EXPECT_EQ(samples.error().code, Code::cancelled);
}

TEST(Speed, SamplesHaveTheLimitsAroundThem) {
  Recorder recorder;
  double probes = 0;
  const auto probe = [&] {
    ++probes;
    return Moment{probes, 10 * probes};
  };
  const auto samples = Speedometer(recorder, 8, probe).measure({.n_gen = 3}, 2, kAlways);
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), 2u);
  EXPECT_EQ((*samples)[0].limits.dram_gbps, 1.5);  // after warming up, after the first
  EXPECT_EQ((*samples)[1].limits.dram_gbps, 2.5);
  EXPECT_EQ((*samples)[1].limits.int8_gops, 25);
  EXPECT_GT((*samples)[0].tokens_per_second, 0);
}

TEST(Speed, HasMeanDeviationAndMedian) {
  const std::vector<double> three{2, 9, 4}, two{1, 3}, none;
  EXPECT_EQ(mean(three), 5);
  EXPECT_DOUBLE_EQ(deviation(three), std::sqrt(13.0));
  EXPECT_EQ(median(three), 4);
  EXPECT_EQ(median(two), 2);
  EXPECT_EQ(deviation(std::vector<double>{5}), 0);
  EXPECT_EQ(median(none), 0);
}

constexpr Work kWork{.bytes = 100, .weights = 1000, .body_bytes = 70, .body_weights = 800};

TEST(Traffic, OfAPromptCountsTheHeadOnce) {
  const Traffic t = traffic_of({.n_prompt = 20}, 8, kWork, [](int n) { return 0.5 * n; });
  EXPECT_EQ(t.bytes, 70 + 70 + 100 + 0.5 * (8 + 16 + 20));
  EXPECT_EQ(t.operations, 2 * 800 * 20);
}

TEST(Traffic, OfGenerationReadsWeightsOnceAndEverySequencesCache) {
  const Traffic t = traffic_of({.n_prompt = 5, .n_gen = 2, .n_seqs = 3, .n_depth = 10}, 8, kWork,
                               [](int n) { return 2.0 * n; });
  EXPECT_EQ(t.bytes, 2 * 100 + 2 * 3 * (16 + 17));
  EXPECT_EQ(t.operations, 2 * 1000 * 2 * 3);
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
  EXPECT_EQ(untied.body_bytes, 8);
  const Work tied = work_of(Weights({layer, norm, table}));
  EXPECT_EQ(tied.weights, 8 + 16);
  EXPECT_EQ(tied.body_weights, 8);
}

}  // namespace
}  // namespace quern::measure
