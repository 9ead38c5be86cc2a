#include "backend/cpu/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "backend/cpu/kernels.h"
#include "support/emulated.h"

namespace quern::cpu {
namespace {

TEST(Limits, AreMeasured) {
  const auto limits = measure_limits(QUERN_THREADS ? 2 : 1);
  ASSERT_TRUE(limits);
  EXPECT_GT(limits->dram_gbps, 0);
  EXPECT_GT(limits->int8_gops, 0);
  EXPECT_GT(limits->f32_gflops, 0);
  const CpuFeatures features = detect_cpu_features();
  EXPECT_EQ(limits->l2_gbps > 0, features.l2_bytes > 0);
  EXPECT_EQ(limits->l3_gbps > 0, features.l3_bytes > 0);
  const bool has_bf16 = std::ranges::any_of(all_kernels(), [&](const Kernels* kernels) {
    return kernels->supported(features) && kernels->probe.bf16.run;
  });
  EXPECT_EQ(limits->bf16_gflops > 0, has_bf16);
  EXPECT_GE(limits->int4_gops, limits->int8_gops);
  for (const char* by : {limits->dram_by, limits->int8_by, limits->int4_by}) EXPECT_NE(*by, 0);
}

TEST(Limits, NeedAThread) { EXPECT_FALSE(measure_limits(0)); }

TEST(Limits, CanBeProbedAgainAndAgain) {
  const auto probe = Probe::start(1);
  ASSERT_TRUE(probe);
  for (int i = 0; i < 300; ++i)
    EXPECT_GT((*probe)->dram_gbps(1e-4), 0);  // past the end, from the start
  for (const int64_t bytes : {int64_t{0}, int64_t{1500}, int64_t{1} << 50})
    EXPECT_GT((*probe)->cache_gbps(bytes, 1e-4), 0);
  EXPECT_GT((*probe)->int8_gops(1e-4), 0);
}

// Sums of 64 bits over separate memory, in plain C++: a limit that is below this rate is wrong.
class PlainReader {
 public:
  explicit PlainReader(int64_t bytes) : words_(bytes / kChunk / 8 * kChunk, 1) {}
  double gbps(double seconds) {
    const auto begin = std::chrono::steady_clock::now();
    double bytes = 0, passed = 0;
    do {
      uint64_t sums[8] = {};
      for (int64_t i = 0; i < kChunk; i += 8)
        for (int j = 0; j < 8; ++j) sums[j] += words_[at_ + i + j];
      for (const uint64_t sum : sums) total_ = total_ + sum;
      at_ = (at_ + kChunk) % static_cast<int64_t>(words_.size());
      bytes += kChunk * sizeof(uint64_t);
      passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    } while (passed < seconds);
    return bytes / passed / 1e9;
  }

 private:
  static constexpr int64_t kChunk = 1 << 17;  // words
  std::vector<uint64_t> words_;
  int64_t at_ = 0;
  volatile uint64_t total_ = 0;
};

// In alternation, until the probe has been as fast once: other guests of the machine slow either at
// random.
TEST(Limits, NoPlainLoopReadsMemoryFaster) {
  if (runs_emulated()) GTEST_SKIP() << "an emulator's rates are its own";
  const auto probe = Probe::start(1);
  ASSERT_TRUE(probe);
  const CpuFeatures features = detect_cpu_features();
  PlainReader plain(std::clamp(4 * features.l3_bytes * features.n_l3, int64_t{1} << 28,
                               int64_t{1} << 30));  // as the probe has
  double ratio = 0;
  for (int i = 0; i < 100 && ratio < 0.9; ++i) {
    const double second = plain.gbps(0.02);
    ratio = std::max(ratio, (*probe)->dram_gbps(0.02) / second);
  }
  EXPECT_GE(ratio, 0.9);
}

}  // namespace
}  // namespace quern::cpu
