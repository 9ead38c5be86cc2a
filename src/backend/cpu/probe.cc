#include "backend/cpu/probe.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/kernels.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"

namespace quern::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kSeconds = 0.05;  // of each measurement, five of each kind
constexpr int64_t kReadBytes = int64_t{256} << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Operations per second of all threads together, the best of a few runs: what disturbs a run only
// slows it.
template <class F>
double best_rate(ThreadPool& pool, F work) {
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    std::vector<double> rates(pool.n_threads());
    pool.run([&](int thread, int n_threads) {
      const auto start = Clock::now();
      double done = 0;
      while (seconds_since(start) < kSeconds / 2) done += work(thread, n_threads);
      rates[thread] = done / seconds_since(start);
    });
    double sum = 0;
    for (const double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};

}  // namespace

Result<MachineLimits> measure_limits(int n_threads) {
  TRY(auto pool, ThreadPool::start(n_threads));
  const ProbeKernels& probe = best_kernels(detect_cpu_features()).probe;
  MachineLimits limits;
  limits.int8_gops = best_rate(*pool, [&](int, int) { return probe.int8_dots(20000); }) / 1e9;
  limits.f32_gflops = best_rate(*pool, [&](int, int) { return probe.f32_fmas(20000); }) / 1e9;

  const std::unique_ptr<std::byte, Free> data(
      static_cast<std::byte*>(std::aligned_alloc(4096, kReadBytes)));
  if (!data) {
    return Error{Code::out_of_memory, "256 MiB for measuring the memory bandwidth", "this machine",
                 "free some memory"};
  }
  const int64_t share = kReadBytes / n_threads / 1024 * 1024;
  pool->run([&](int thread, int) { std::memset(data.get() + thread * share, 1, share); });
  limits.dram_gbps = best_rate(*pool,
                               [&](int thread, int) {
                                 volatile int32_t sum =
                                     probe.read(data.get() + thread * share, share);
                                 static_cast<void>(sum);
                                 return share;
                               }) /
                     1e9;
  return limits;
}

}  // namespace quern::cpu
