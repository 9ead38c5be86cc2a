#include "backend/cpu/probe.h"

#include <gtest/gtest.h>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"

namespace quern::cpu {
namespace {

TEST(Probe, ReadsEveryByteAlikeOnEveryInstructionSet) {
  testing_support::Aligned<std::byte> data(2048);
  for (int i = 0; i < 2048; ++i) data.data()[i] = static_cast<std::byte>(i * i);
  const CpuFeatures features = detect_cpu_features();
  const int32_t want = all_kernels().front()->probe.read(data.data(), 2048);
  for (const Kernels* kernels : all_kernels()) {
    if (!kernels->supported(features)) continue;
    EXPECT_EQ(kernels->probe.read(data.data(), 2048), want) << kernels->isa;
    EXPECT_EQ(kernels->probe.read_cached(data.data(), 2048), want) << kernels->isa;
    EXPECT_GT(kernels->probe.int8_dots(3), 0);
    EXPECT_GT(kernels->probe.f32_fmas(3), 0);
    if (kernels->probe.bf16_dots) {
      EXPECT_GT(kernels->probe.bf16_dots(3), 0);
    }
  }
  data.data()[2047] ^= std::byte{1};
  EXPECT_NE(all_kernels().front()->probe.read(data.data(), 2048), want);
}

}  // namespace
}  // namespace quern::cpu
