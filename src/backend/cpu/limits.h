// The limits of this machine's processor and memory (backend/limits.h), measured.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/program.h"
#include "backend/limits.h"
#include "base/result.h"
#include "base/thread_pool.h"

namespace quern::cpu {

// Measures as often as asked: what a shared machine can do changes by the second. Every measurement
// begins and ends on all n_threads threads at once, takes about `seconds` and gives 10^9 per second
// of all together. Not for use by several threads at a time.
class Probe final : public LimitsProbe {
 public:
  // Takes memory of four times the last cache, 256 MiB to 1 GiB. kernels: whose instructions are
  // measured, that run here; null: those of best_kernels(). Errors: out_of_memory, and those of
  // ThreadPool::start.
  static Result<std::unique_ptr<Probe>> start(int n_threads, const Kernels* kernels = nullptr);

  // By the way of reading that was the fastest when the probe started.
  double dram_gbps(double seconds) override;
  double cache_gbps(int64_t bytes_per_thread, double seconds);
  double int8_gops(double seconds) override { return rate_of(kernels_.probe.int8, seconds); }
  double f32_gflops(double seconds) { return rate_of(kernels_.probe.f32, seconds); }
  // The best of several short measurements of each kind, some seconds in all: what disturbs one
  // only slows it. Memory is read in every way, on large and on small pages. Errors: out_of_memory.
  Result<MachineLimits> limits() override;

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
