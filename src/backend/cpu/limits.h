// What this machine can do at most: the yardstick of every speed Quern prints.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cpu/probe.h"
#include "backend/cpu/program.h"
#include "base/result.h"
#include "base/thread_pool.h"

namespace quern::cpu {

struct MachineLimits {
  double dram_gbps = 0;    // 10^9 bytes per second read by all threads, far beyond the caches
  double l2_gbps = 0;      // likewise from the second cache and
  double l3_gbps = 0;      // from the third; 0: its size is not known
  double int8_gops = 0;    // 10^9 operations per second with the kernels that best_kernels() picks
  double f32_gflops = 0;   // likewise, of fused multiply-adds
  double bf16_gflops = 0;  // of bf16 dot products or tiles, the best of all kernels; 0: none
};

// Measures as often as asked: what a shared machine can do changes by the second. Every measurement
// runs on all n_threads threads at once for about `seconds` and gives 10^9 per second of all
// together. Not for use by several threads at a time.
class Probe {
 public:
  // Takes memory of four times the last cache, 256 MiB to 1 GiB. Errors: out_of_memory, and those
  // of ThreadPool::start.
  static Result<std::unique_ptr<Probe>> start(int n_threads);

  double dram_gbps(double seconds);
  double cache_gbps(int64_t bytes_per_thread, double seconds);
  double int8_gops(double seconds);
  double f32_gflops(double seconds);
  double bf16_gflops(double seconds);  // 0: no such instruction
  // The best of five short measurements of each kind, about a second in all: what disturbs one only
  // slows it.
  MachineLimits limits();

 private:
  explicit Probe(const ProbeKernels& kernels) : kernels_(kernels) {}
  template <class F>
  double rate(double seconds, F work);

  const ProbeKernels& kernels_;
  std::unique_ptr<ThreadPool> pool_;
  WeightMemory memory_;
  int64_t share_ = 0;             // bytes of memory_ that each thread reads
  std::vector<int64_t> cursors_;  // where in its share each thread goes on
};

// The limits of n_threads threads. Errors as Probe::start.
Result<MachineLimits> measure_limits(int n_threads);

}  // namespace quern::cpu
