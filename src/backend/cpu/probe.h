// What this machine can do at most: the yardstick of every speed Quern prints.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace quern::cpu {

// Loops of one instruction set that do nothing but what is measured. One table per ISA.
struct ProbeKernels {
  // Independent dot products of bytes, or fused multiply-adds, on registers; both return the
  // operations done, two per product.
  int64_t (*int8_dots)(int64_t rounds);
  int64_t (*f32_fmas)(int64_t rounds);
  // Reads n bytes (a multiple of 1024, aligned to 64) once, in order; returns a sum of them.
  int32_t (*read)(const std::byte* data, int64_t n);
};

struct MachineLimits {
  double dram_gbps = 0;   // 10^9 bytes per second read by all threads, far beyond the caches
  double int8_gops = 0;   // 10^9 operations per second with the kernels that best_kernels() picks
  double f32_gflops = 0;  // likewise, of fused multiply-adds
};

// On n_threads threads, all at once; takes about half a second and 256 MiB.
// Errors: out_of_memory, and those of ThreadPool::start.
Result<MachineLimits> measure_limits(int n_threads);

}  // namespace quern::cpu
