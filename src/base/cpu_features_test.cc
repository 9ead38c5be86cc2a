#include "base/cpu_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

class CgroupLimit : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int limit(const std::string& cgroups) { return cgroup_cpu_limit(cgroups, root_.string()); }
  TemporaryFolder temporary_{"cpu_features"};
  const fs::path& root_ = temporary_.path();
};

TEST_F(CgroupLimit, Version2TakesTheTightestOnTheWayUp) {
  put("cpu.max", "max 100000\n");
  put("a/cpu.max", "250000 100000\n");
  put("a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(limit("0::/a/b\n"), 2);  // 2.5 CPUs keep two spinning threads unthrottled, not three
  EXPECT_EQ(limit("0::/\n"), 0);
}

TEST_F(CgroupLimit, LessThanOneCpuIsOne) {
  put("a/cpu.max", "50000 100000\n");
  EXPECT_EQ(limit("0::/a\n"), 1);
}

TEST_F(CgroupLimit, Version1IsFoundUnderItsController) {
  put("cpu/box/cpu.cfs_quota_us", "300000\n");
  put("cpu/box/cpu.cfs_period_us", "100000\n");
  put("cpu/cpu.cfs_quota_us", "-1\n");
  put("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit("7:memory:/x\n5:cpuset:/box\n4:cpu,cpuacct:/box/inner\n"), 3);
  EXPECT_EQ(limit("5:cpuset:/box\n"), 0);
}

TEST_F(CgroupLimit, OddTextLimitsNothing) {
  put("a/cpu.max", "hello\n");
  put("b/cpu.max", "-5 0\n");
  put("c/cpu.max", "99999999999999999999999 100000\n");
  EXPECT_EQ(limit("0::/a"), 0);
  EXPECT_EQ(limit("0::/b"), 0);
  EXPECT_EQ(limit("0::/c"), 0);
  EXPECT_EQ(limit("0::/not/there"), 0);
  EXPECT_EQ(limit("no colons\n:\n"), 0);
  EXPECT_EQ(limit(""), 0);
}

// The contents of /sys/devices/system/cpu on a machine, and the caches that follow from it.
struct CacheCase {
  const char* name;
  std::vector<std::vector<const char*>> cpus;  // per CPU: "level type size shared_cpu_list"
  CacheSizes want;
};
const CacheCase kCacheCases[] = {
    {"a desktop",
     {{"1 Data 48K 0", "1 Instruction 32K 0", "2 Unified 2048K 0", "3 Unified 32768K 0-1"},
      {"1 Data 48K 1", "1 Instruction 32K 1", "2 Unified 2048K 1", "3 Unified 32768K 0-1"}},
     {48 << 10, 2 << 20, 32 << 20, 1}},
    {"two core complexes",
     {{"1 Data 32K 0", "2 Unified 1024K 0", "3 Unified 32768K 0"},
      {"1 Data 32K 1", "2 Unified 1024K 1", "3 Unified 32768K 1"}},
     {32 << 10, 1 << 20, 32 << 20, 2}},
    {"no third cache", {{"1 Data 32K 0", "2 Unified 512K 0"}}, {32 << 10, 512 << 10, 0, 0}},
    {"cores of two kinds: the first counts",
     {{"1 Data 48K 0", "2 Unified 2M 0"}, {"1 Data 32K 1", "2 Unified 4M 1-4"}},
     {48 << 10, 2 << 20, 0, 0}},
    {"a fourth cache",
     {{"1 Data 32K 0", "2 Unified 256K 0", "3 Unified 6144K 0", "4 Unified 128M 0"}},
     {32 << 10, 256 << 10, 6 << 20, 1}},
    {"odd text", {{"1 Data ?K 0", "2 Unified -3K 0", "three Unified 8M 0"}}, {0, 0, 0, 0}},
    {"nothing described", {{}, {}}, {0, 0, 0, 0}},
};

TEST(Caches, AreReadAsTheSystemDescribesThem) {
  for (const CacheCase& c : kCacheCases) {
    SCOPED_TRACE(c.name);
    const TemporaryFolder folder("caches");
    std::vector<int> cpus;
    for (const auto& caches : c.cpus) {
      const fs::path cpu = folder.path() / ("cpu" + std::to_string(cpus.size())) / "cache";
      for (size_t i = 0; i < caches.size(); ++i) {
        std::istringstream words(caches[i]);
        const fs::path index = cpu / ("index" + std::to_string(i));
        fs::create_directories(index);
        for (const char* file : {"level", "type", "size", "shared_cpu_list"}) {
          std::string word;
          words >> word;
          std::ofstream(index / file) << word << "\n";
        }
      }
      cpus.push_back(static_cast<int>(cpus.size()));
    }
    const CacheSizes got = described_caches(cpus, folder.path().string());
    EXPECT_EQ(got.l1d, c.want.l1d);
    EXPECT_EQ(got.l2, c.want.l2);
    EXPECT_EQ(got.l3, c.want.l3);
    EXPECT_EQ(got.n_l3, c.want.n_l3);
  }
}

TEST(CpuFeatures, CountsAndNamesAreSane) {
  const CpuFeatures features = detect_cpu_features();
  EXPECT_GE(features.n_cpus, 1);
  EXPECT_FALSE(features.model.empty());
  const auto names = feature_names(features);
  EXPECT_EQ(std::count(names.begin(), names.end(), "avx2"), features.avx2 ? 1 : 0);
}

#if defined(__x86_64__) && defined(__linux__)
// The kernel reports the same features under other names (and hides those whose state it does not
// save).
TEST(CpuFeatures, AgreesWithTheKernel) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  while (std::getline(cpuinfo, line) && line.rfind("flags", 0) != 0) {
  }
  ASSERT_FALSE(line.empty()) << "no flags in /proc/cpuinfo";
  std::istringstream words(line);
  std::vector<std::string> flags;
  for (std::string word; words >> word;) flags.push_back(word);
  const CpuFeatures features = detect_cpu_features();
  const std::pair<const char*, bool> expected[] = {
      {"avx2", features.avx2},
      {"fma", features.fma},
      {"f16c", features.f16c},
      {"avx_vnni", features.avxvnni},
      {"avx512f", features.avx512f},
      {"avx512bw", features.avx512bw},
      {"avx512vl", features.avx512vl},
      {"avx512dq", features.avx512dq},
      {"avx512_vnni", features.avx512vnni},
      {"avx512_bf16", features.avx512bf16},
      {"avx512vbmi", features.avx512vbmi},
      {"amx_tile", features.amx_tile},
      {"amx_int8", features.amx_int8},
      {"amx_bf16", features.amx_bf16},
  };
  for (const auto& [flag, has] : expected)
    EXPECT_EQ(has, std::count(flags.begin(), flags.end(), flag) > 0) << flag;
}
#endif

}  // namespace
}  // namespace quern
