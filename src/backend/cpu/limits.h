// What this machine can do at most: the yardstick of every speed Quern prints.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/program.h"
#include "base/result.h"
#include "base/thread_pool.h"

namespace quern::cpu {

struct MachineLimits {
  double dram_gbps = 0;  // 10^9 bytes per second read by all threads, far beyond the caches
  double l2_gbps = 0;    // likewise from the second cache and
  double l3_gbps = 0;    // from the third; 0: its size is not known
  // 10^9 operations per second, two a product, of the best exact instructions of the processor for
  // dot products of bytes; of codes of four bits by bytes, which the instructions for bytes compute
  // too, so that this limit is never below that of bytes; and by tiles, 0: none.
  double int8_gops = 0, int4_gops = 0, int8_tiles_gops = 0;
  double f32_gflops = 0;   // likewise, of fused multiply-adds
  double bf16_gflops = 0;  // of bf16 dot products or tiles; 0: none
  // What the figures are of, for people: instructions, and how memory was read.
  const char* int8_by = "";
  const char* int4_by = "";
  const char* dram_by = "";
  bool dram_large_pages = false;
};

// Measures as often as asked: what a shared machine can do changes by the second. Every measurement
// begins and ends on all n_threads threads at once, takes about `seconds` and gives 10^9 per second
// of all together. Not for use by several threads at a time.
class Probe {
 public:
  // Takes memory of four times the last cache, 256 MiB to 1 GiB. kernels: whose instructions are
  // measured, that run here; null: those of best_kernels(). Errors: out_of_memory, and those of
  // ThreadPool::start.
  static Result<std::unique_ptr<Probe>> start(int n_threads, const Kernels* kernels = nullptr);

  // By the way of reading that was the fastest when the probe started.
  double dram_gbps(double seconds);
  double cache_gbps(int64_t bytes_per_thread, double seconds);
  double int8_gops(double seconds) { return rate_of(kernels_.probe.int8, seconds); }
  double f32_gflops(double seconds) { return rate_of(kernels_.probe.f32, seconds); }
  // The best of several short measurements of each kind, some seconds in all: what disturbs one
  // only slows it. Memory is read in every way, on large and on small pages. Errors: out_of_memory.
  Result<MachineLimits> limits();

 private:
  Probe(const Kernels& kernels, int64_t share) : kernels_(kernels), share_(share) {}
  Result<> take_memory(bool large_pages);
  void choose_read();
  double rate_of(const OperationProbe& probe, double seconds);
  template <class F>
  double rate(double seconds, F work);

  const Kernels& kernels_;
  const int64_t share_;  // bytes of memory_ that each thread reads
  std::unique_ptr<ThreadPool> pool_;
  WeightMemory memory_;
  const ReadProbe* read_ = nullptr;
  std::vector<int64_t> cursors_;  // where in its share each thread goes on
};

// The limits of n_threads threads. Errors as Probe::start.
Result<MachineLimits> measure_limits(int n_threads, const Kernels* kernels = nullptr);

}  // namespace quern::cpu
