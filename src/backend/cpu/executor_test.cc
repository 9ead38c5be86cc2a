#include "backend/cpu/executor.h"

#include <gtest/gtest.h>

namespace quern::cpu {
namespace {

TEST(WeightMemory, IsZeroAndAligned) {
  const auto memory = WeightMemory::allocate(1000);
  ASSERT_TRUE(memory);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % 64, 0u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(memory->data()[i], std::byte{0});
}

// In 32 bits 2^32 + 64 would look like 64.
TEST(WeightMemory, RefusesMoreThanAddressesReach) {
  for (const int64_t bytes : {int64_t{1} << 62, (int64_t{1} << 32) + 64}) {
    if (sizeof(void*) == 8 && bytes < int64_t{1} << 47) continue;
    const auto memory = WeightMemory::allocate(bytes);
    ASSERT_FALSE(memory);
    EXPECT_EQ(memory.error().code, Code::out_of_memory);
  }
}

}  // namespace
}  // namespace quern::cpu
