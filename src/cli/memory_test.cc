#include "cli/memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_folder.h"

namespace quern::cli {
namespace {

TEST(Memory, ReadsMeminfo) {
  const Memory memory = parse_meminfo(
      "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\nBuffers: 3 kB\n");
  EXPECT_EQ(memory.total, 16384 * 1024);
  EXPECT_EQ(memory.available, 8192 * 1024);
  EXPECT_EQ(parse_meminfo("").total, 0);
}

TEST(Memory, TakesTheTightestGroup) {
  const TemporaryFolder temporary("memory");
  const std::filesystem::path& root = temporary.path();
  std::filesystem::create_directories(root / "a" / "b");
  const auto write = [](const std::filesystem::path& path, const char* text) {
    std::ofstream(path) << text;
  };
  write(root / "a" / "memory.max", "1000\n");
  write(root / "a" / "memory.current", "400\n");
  write(root / "a" / "b" / "memory.max", "max\n");
  const Memory memory = cgroup_memory("1:cpu:/x\n0::/a/b\n", root.string());
  EXPECT_EQ(memory.total, 1000);
  EXPECT_EQ(memory.available, 600);
  EXPECT_EQ(cgroup_memory("0::/\n", root.string()).total, 0);
  EXPECT_EQ(cgroup_memory("", root.string()).total, 0);
}

TEST(LargePages, AreWhatIsChosenInBrackets) {
  EXPECT_EQ(parse_large_pages("always [madvise] never\n"), LargePages::given);
  EXPECT_EQ(parse_large_pages("[always] madvise never\n"), LargePages::given);
  EXPECT_EQ(parse_large_pages("always madvise [never]\n"), LargePages::refused);
  for (const char* text : {"", "always madvise never", "[", "][", "[other]"})
    EXPECT_EQ(parse_large_pages(text), LargePages::unknown) << text;
}

TEST(Memory, OfThisMachineIsPositive) {
  EXPECT_GT(machine_memory().total, 0);
  EXPECT_GT(machine_memory().available, 0);
}

}  // namespace
}  // namespace quern::cli
