#include "base/cpu_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace quern {
namespace {

namespace fs = std::filesystem;
using List = std::vector<int>;

TEST(CpuList, IsNumbersAndRangesInTheOrderWritten) {
  EXPECT_EQ(parse_cpu_list("0"), List{0});
  EXPECT_EQ(parse_cpu_list("8,0-3"), (List{8, 0, 1, 2, 3}));
  EXPECT_EQ(parse_cpu_list("5-5"), List{5});
}

TEST(CpuList, IsNothingElse) {
  for (const char* text : {"", ",", "0,", "1,,2", "a", "0-", "-1", "3-1", "0 1", "0-2,1", "1.5",
                           "99999999999", "65536", "0x1"})
    EXPECT_EQ(parse_cpu_list(text), std::nullopt) << text;
}

TEST(CpuList, AllowedOnesAscend) {
  const List cpus = allowed_cpus();
  EXPECT_TRUE(std::is_sorted(cpus.begin(), cpus.end()));
#if defined(__linux__)
  EXPECT_FALSE(cpus.empty());
#endif
}

TEST(PinCpus, AreNoneCoresOrAList) {
  EXPECT_EQ(*pin_cpus("none"), List{});
  const List allowed = allowed_cpus();
  const auto cores = pin_cpus("cores");
  ASSERT_TRUE(cores);
  for (const int cpu : *cores) EXPECT_NE(std::ranges::find(allowed, cpu), allowed.end());
  if (!allowed.empty()) {
    EXPECT_EQ(*pin_cpus(std::to_string(allowed.back())), List{allowed.back()});
  }
  for (const char* text : {"", "some", "65535", "0-65535"}) {
    const auto refused = pin_cpus(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
  }
}

#if defined(__linux__)
// Two cores of two threads each, and a CPU that is not described.
TEST(CpuList, TakesOneCpuOfEveryCore) {
  const fs::path root = fs::temp_directory_path() / "quern-cpu-list-test";
  const char* siblings[] = {"0,2\n", "1,3\n", "0,2\n", "1,3\n"};
  for (int cpu = 0; cpu < 4; ++cpu) {
    const fs::path folder = root / ("cpu" + std::to_string(cpu)) / "topology";
    fs::create_directories(folder);
    std::ofstream(folder / "thread_siblings_list") << siblings[cpu];
  }
  EXPECT_EQ(one_per_core({0, 1, 2, 3, 4}, root.string()), (List{0, 1, 4}));
  EXPECT_EQ(one_per_core({2, 3}, root.string()), (List{2, 3}));
  EXPECT_EQ(one_per_core({1, 2, 3}, root.string()), (List{1, 2}));
  EXPECT_EQ(one_per_core({}, root.string()), List{});
  fs::remove_all(root);
}
#endif

}  // namespace
}  // namespace quern
