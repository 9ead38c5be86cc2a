#include "base/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace quern {
namespace {

TEST(Checksum, EveryBitAndTheLengthCount) {
  std::vector<std::byte> bytes(77);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37);
  std::set<uint64_t> seen{checksum(bytes)};
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_TRUE(seen.insert(checksum(bytes)).second) << i << " " << bit;
      bytes[i] ^= static_cast<std::byte>(1 << bit);
    }
  }
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_TRUE(seen.insert(checksum(std::span(bytes).first(n))).second) << n;
}

TEST(Checksum, ZerosOfEveryLengthDiffer) {
  const std::vector<std::byte> zeros(200);
  std::set<uint64_t> seen;
  for (size_t n = 0; n <= zeros.size(); ++n) seen.insert(checksum(std::span(zeros).first(n)));
  EXPECT_EQ(seen.size(), zeros.size() + 1);
}

TEST(Checksum, WordsThatChangePlacesShow) {
  std::vector<std::byte> bytes(256);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / 8);
  const uint64_t before = checksum(bytes);
  for (size_t word = 1; word < bytes.size() / 8; ++word) {
    auto swapped = bytes;
    std::swap_ranges(swapped.begin(), swapped.begin() + 8, swapped.begin() + 8 * word);
    EXPECT_NE(checksum(swapped), before) << word;
  }
}

// Files store it: it must not change between versions of the program.
TEST(Checksum, IsWhatItWas) {
  std::vector<std::byte> bytes(100);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(checksum(bytes), 0x417f14883f9c4674u);
}

}  // namespace
}  // namespace quern
