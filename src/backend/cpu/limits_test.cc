#include "backend/cpu/limits.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "backend/cpu/kernels.h"

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
    return kernels->supported(features) && kernels->probe.bf16_dots;
  });
  EXPECT_EQ(limits->bf16_gflops > 0, has_bf16);
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

}  // namespace
}  // namespace quern::cpu
