#include "base/cpu_features.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "base/cpu_list.h"
#include "base/threads.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace quern {
namespace {

// Empty where there is no such file.
std::string read_text(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "r"));
  std::string text;
  char part[4096];
  while (file) {
    const size_t n = std::fread(part, 1, sizeof part, file.get());
    text.append(part, n);
    if (n < sizeof part) break;
  }
  return text;
}

enum Register : uint8_t { eax, ebx, ecx, edx };

// Register state the operating system must save: bits of XCR0 (Intel SDM volume 1, 13.3).
constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;

// The cpuid bit of each feature (Intel SDM volume 2, CPUID).
struct Row {
  std::string_view name;
  bool CpuFeatures::*member;
  uint32_t leaf, subleaf;
  Register where;
  int bit;
  uint64_t state;
};

constexpr Row kRows[] = {
    {"avx2", &CpuFeatures::avx2, 7, 0, ebx, 5, kYmm},
    {"fma", &CpuFeatures::fma, 1, 0, ecx, 12, kYmm},
    {"f16c", &CpuFeatures::f16c, 1, 0, ecx, 29, kYmm},
    {"avxvnni", &CpuFeatures::avxvnni, 7, 1, eax, 4, kYmm},
    {"avx512f", &CpuFeatures::avx512f, 7, 0, ebx, 16, kZmm},
    {"avx512bw", &CpuFeatures::avx512bw, 7, 0, ebx, 30, kZmm},
    {"avx512vl", &CpuFeatures::avx512vl, 7, 0, ebx, 31, kZmm},
    {"avx512dq", &CpuFeatures::avx512dq, 7, 0, ebx, 17, kZmm},
    {"avx512vnni", &CpuFeatures::avx512vnni, 7, 0, ecx, 11, kZmm},
    {"avx512bf16", &CpuFeatures::avx512bf16, 7, 1, eax, 5, kZmm},
    {"avx512vbmi", &CpuFeatures::avx512vbmi, 7, 0, ecx, 1, kZmm},
    {"amx_tile", &CpuFeatures::amx_tile, 7, 0, edx, 24, kTiles},
    {"amx_int8", &CpuFeatures::amx_int8, 7, 0, edx, 25, kTiles},
    {"amx_bf16", &CpuFeatures::amx_bf16, 7, 0, edx, 22, kTiles},
};

// Where an ARM feature is reported: a bit of an entry of the auxiliary vector (Linux,
// Documentation/arch/arm64/elf_hwcaps.rst) or a name of sysctl (Apple, "Determining instruction set
// characteristics").
constexpr unsigned long kHwcap = 16, kHwcap2 = 26;
struct ArmRow {
  std::string_view name;
  bool CpuFeatures::*member;
  unsigned long entry;
  int bit;
  const char* sysctl;
};

constexpr ArmRow kArmRows[] = {
    {"neon", &CpuFeatures::neon, kHwcap, 1, "hw.optional.AdvSIMD"},
    {"dotprod", &CpuFeatures::dotprod, kHwcap, 20, "hw.optional.arm.FEAT_DotProd"},
    {"i8mm", &CpuFeatures::i8mm, kHwcap2, 13, "hw.optional.arm.FEAT_I8MM"},
};

#if defined(__x86_64__)
struct Registers {
  uint32_t value[4] = {};
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.value[eax], &r.value[ebx], &r.value[ecx], &r.value[edx]);
  return r;
}

// XCR0: the state the operating system saves; 0 where it does not use xsave.
uint64_t saved_state() {
  if (!(cpuid(1, 0).value[ecx] >> 27 & 1)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

// Linux lets a process use tiles only after it asked for them (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

void detect_architecture(CpuFeatures& features) {
  const uint64_t saved = saved_state();
  const uint32_t last_subleaf = cpuid(7, 0).value[eax];
  for (const Row& row : kRows) {
    if (row.leaf == 7 && row.subleaf > last_subleaf) continue;
    const uint32_t word = cpuid(row.leaf, row.subleaf).value[row.where];
    features.*row.member = (word >> row.bit & 1) && (saved & row.state) == row.state;
  }
  if (features.amx_tile && !may_use_tiles())
    features.amx_tile = features.amx_int8 = features.amx_bf16 = false;
  char brand[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002 + i, 0);
    std::memcpy(brand + 16 * i, r.value, 16);
  }
  const std::string_view text(brand);
  const size_t first = text.find_first_not_of(' ');
  if (first != text.npos)
    features.model = text.substr(first, text.find_last_not_of(' ') + 1 - first);
}
#else
#if defined(__aarch64__)
bool has(const ArmRow& row) {
#if defined(__linux__)
  return getauxval(row.entry) >> row.bit & 1;
#elif defined(__APPLE__)
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(row.sysctl, &value, &size, nullptr, 0) == 0 && value == 1;
#else
  return row.member == &CpuFeatures::neon;  // part of the architecture
#endif
}
#endif

void detect_architecture(CpuFeatures& features) {
#if defined(__aarch64__)
  for (const ArmRow& row : kArmRows) features.*row.member = has(row);
#endif
#if defined(__wasm__)
  features.simd128 = true;  // an engine without it would not have taken this module
#endif
  std::istringstream cpuinfo(read_text("/proc/cpuinfo"));
  for (std::string line; std::getline(cpuinfo, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != line.npos) {
      features.model = line.substr(colon + 2);
      return;
    }
  }
}
#endif

std::optional<int64_t> parse(std::string_view text) {
  int64_t value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

int cpus_of(std::string_view quota, std::string_view period) {
  const auto q = parse(quota), p = parse(period);
  if (!q || !p || *q <= 0 || *p <= 0) return 0;  // "max" and -1: no limit
  return static_cast<int>(std::clamp<int64_t>(*q / *p, 1, 1 << 20));
}

// The limit written in one folder of version 2 ("quota period") or version 1 (two files).
int limit_in(const std::string& folder, bool version2) {
  if (!version2)
    return cpus_of(read_text(folder + "/cpu.cfs_quota_us"),
                   read_text(folder + "/cpu.cfs_period_us"));
  const std::string text = read_text(folder + "/cpu.max");
  const size_t space = text.find(' ');
  return space == text.npos ? 0 : cpus_of(text, std::string_view(text).substr(space + 1));
}

// The tightest limit from `path` up to the root of its hierarchy. A folder that is not visible
// (containers often see only the root) limits nothing.
int limit_upwards(const std::string& mount, std::string path, bool version2) {
  int limit = 0;
  for (;;) {
    const int here = limit_in(mount + path, version2);
    if (here && (!limit || here < limit)) limit = here;
    if (path.empty() || path == "/") return limit;
    path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
  }
}

bool lists_cpu(std::string_view controllers) {
  for (size_t at = 0; at <= controllers.size();) {
    const size_t end = std::min(controllers.find(',', at), controllers.size());
    if (controllers.substr(at, end - at) == "cpu") return true;
    at = end + 1;
  }
  return false;
}

int usable_cpus() {
#if QUERN_THREADS
  int n = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#else
  int n = 1;
#endif
#if defined(__linux__)
  if (const auto cpus = allowed_cpus(); !cpus.empty())
    n = static_cast<int>(one_per_core(cpus, kCpuRoot).size());
  const int limit = cgroup_cpu_limit(read_text("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (limit) n = std::min(n, limit);
#endif
  return std::max(1, n);
}

// "48K", "32768K", "4M"; 0: neither.
int64_t parse_size(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789");
  const auto number = parse(text.substr(0, end));
  if (!number || *number < 0 || *number > int64_t{1} << 40) return 0;
  constexpr std::string_view kUnits = "KMG";
  const size_t unit = end == text.npos ? text.npos : kUnits.find(text[end]);
  return unit == text.npos ? *number : *number << 10 * (unit + 1);
}

// AMD's legacy leaf, which C libraries of 2022 and kernels read where a virtual machine hides the
// newer one, counts all third caches of a package as one. None of AMD's is larger than this, but
// for those with a second layer, whose guests are told of the newer leaf.
[[maybe_unused]] constexpr int64_t kLargestLegacyL3 = int64_t{32} << 20;

bool hides_single_l3() {
#if defined(__x86_64__)
  if (cpuid(0, 0).value[ebx] != 0x68747541) return false;  // "Auth"enticAMD
  constexpr uint32_t kCacheProperties = 0x8000001d, kTypes = 31;
  return cpuid(0x80000000, 0).value[eax] < kCacheProperties ||
         !(cpuid(kCacheProperties, 3).value[eax] & kTypes);
#else
  return false;
#endif
}

void detect_caches([[maybe_unused]] CpuFeatures& features) {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  features.l1d_bytes = std::max(0L, sysconf(_SC_LEVEL1_DCACHE_SIZE));
  features.l2_bytes = std::max(0L, sysconf(_SC_LEVEL2_CACHE_SIZE));
  features.l3_bytes = std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE));
#endif
#if defined(__linux__)
  const CacheSizes caches = described_caches(allowed_cpus(), kCpuRoot);
  if (caches.l1d > 0) features.l1d_bytes = caches.l1d;
  if (caches.l2 > 0) features.l2_bytes = caches.l2;
  if (caches.l3 > 0) features.l3_bytes = caches.l3;
  features.n_l3 = std::max(1, caches.n_l3);
#endif
  if (hides_single_l3()) features.l3_bytes = std::min(features.l3_bytes, kLargestLegacyL3);
}

}  // namespace

CacheSizes described_caches(const std::vector<int>& cpus, const std::string& root) {
  CacheSizes sizes;
  std::set<std::string> third;  // by the CPUs that share them
  for (const int cpu : cpus)
    for (int index = 0;; ++index) {
      const std::string folder =
          root + "/cpu" + std::to_string(cpu) + "/cache/index" + std::to_string(index);
      const std::string type = read_text(folder + "/type");
      if (type.empty()) break;
      if (type.rfind("Instruction", 0) == 0) continue;
      const auto level = parse(read_text(folder + "/level"));
      int64_t* const size = level == 1   ? &sizes.l1d
                            : level == 2 ? &sizes.l2
                            : level == 3 ? &sizes.l3
                                         : nullptr;
      if (size && *size == 0) *size = parse_size(read_text(folder + "/size"));
      if (level == 3) third.insert(read_text(folder + "/shared_cpu_list"));
    }
  sizes.n_l3 = static_cast<int>(third.size());
  return sizes;
}

int cgroup_cpu_limit(std::string_view cgroups, const std::string& root) {
  int limit = 0;
  std::istringstream lines{std::string(cgroups)};
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:path
    const size_t first = line.find(':');
    const size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    int here = 0;
    if (controllers.empty()) {
      here = limit_upwards(root, path, true);
    } else if (lists_cpu(controllers)) {
      here = limit_upwards(root + "/cpu", path, false);
    }
    if (here && (!limit || here < limit)) limit = here;
  }
  return limit;
}

CpuFeatures detect_cpu_features() {
  CpuFeatures features;
  detect_architecture(features);
  detect_caches(features);
  features.n_cpus = usable_cpus();
  return features;
}

std::vector<std::string_view> feature_names(const CpuFeatures& features) {
  std::vector<std::string_view> names;
  for (const Row& row : kRows)
    if (features.*row.member) names.push_back(row.name);
  for (const ArmRow& row : kArmRows)
    if (features.*row.member) names.push_back(row.name);
  if (features.simd128) names.push_back("simd128");
  return names;
}

}  // namespace quern
