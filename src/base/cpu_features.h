// What the processor under this process can do, and how much of it this process may use.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

// A feature counts only if the processor has it and the operating system saves its registers.
// All false on a machine of another architecture.
struct CpuFeatures {
  bool avx2 = false, fma = false, f16c = false, avxvnni = false;
  bool avx512f = false, avx512bw = false, avx512vl = false, avx512dq = false;
  bool avx512vnni = false, avx512bf16 = false, avx512vbmi = false;
  // Tiles: true only where the system also lets this process use them; detection asks it to.
  bool amx_tile = false, amx_int8 = false, amx_bf16 = false;
  bool neon = false, dotprod = false, i8mm = false;  // ARM
  bool simd128 = false;                              // WebAssembly

  std::string model = "unknown";  // "AMD EPYC 9B45"
  // Cores this process may keep busy: by affinity mask and cgroup quota. Not their hyperthreads,
  // which share the core's vector units and its way to memory.
  int n_cpus = 1;
  // Sizes of the data caches of one CPU, whether they are shared or not; 0: not known. In a virtual
  // machine they are what the host reports: other guests may use the same l3.
  int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;
  int n_l3 = 1;  // third caches among the CPUs this process may run on
};

// Asks the machine. Takes microseconds, allocates only the name; callers keep the answer.
CpuFeatures detect_cpu_features();

// The features that are true, in the order above: "avx2", "fma", ...
std::vector<std::string_view> feature_names(const CpuFeatures& features);

// Caches as the system describes them under `root` (/sys/devices/system/cpu): those of the first of
// `cpus`, and the third caches of all. Nothing if it does not describe them.
struct CacheSizes {
  int64_t l1d = 0, l2 = 0, l3 = 0;
  int n_l3 = 0;
};
CacheSizes described_caches(const std::vector<int>& cpus, const std::string& root);

// CPUs a cgroup allows, rounded down but at least 1; 0: no limit. `cgroups` is the text of
// /proc/self/cgroup, `root` the place where the hierarchies are mounted (/sys/fs/cgroup). The
// tightest limit on the way up to the root holds; both versions of cgroups are understood.
int cgroup_cpu_limit(std::string_view cgroups, const std::string& root);

}  // namespace quern
