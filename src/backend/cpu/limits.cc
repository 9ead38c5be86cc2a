#include "backend/cpu/limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include "backend/cpu/kernels.h"
#include "base/cpu_features.h"

namespace quern::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kLeast = int64_t{256} << 20, kMost = int64_t{1} << 30;
constexpr int64_t kSlice = int64_t{1} << 20;  // bytes between two looks at the clock
constexpr int64_t kRounds = 5000;             // some 30 us of operations, likewise

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<std::unique_ptr<Probe>> Probe::start(int n_threads) {
  std::unique_ptr<Probe> probe(new Probe(best_kernels(detect_cpu_features()).probe));
  TRY(probe->pool_, ThreadPool::start(n_threads));
  const int64_t wanted = std::clamp(4 * detect_cpu_features().l3_bytes, kLeast, kMost);
  probe->share_ = std::max(wanted / n_threads / kSlice, int64_t{1}) * kSlice;
  TRY(probe->memory_, WeightMemory::allocate(probe->share_ * n_threads));
  probe->cursors_.assign(static_cast<size_t>(n_threads), 0);
  std::byte* data = probe->memory_.data();
  const int64_t share = probe->share_;
  // Each thread its own, so that on machines of several memories it lies near; and not zeros, which
  // may all be one page.
  probe->pool_->run([&](int thread, int) { std::memset(data + thread * share, 1, share); });
  return probe;
}

// work(thread) does a little and says how much.
template <class F>
double Probe::rate(double seconds, F work) {
  std::vector<double> rates(static_cast<size_t>(pool_->n_threads()));
  pool_->run([&](int thread, int) {
    const auto start = Clock::now();
    double done = 0;
    while (seconds_since(start) < seconds) done += static_cast<double>(work(thread));
    rates[thread] = done / seconds_since(start);
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0) / 1e9;
}

double Probe::dram_gbps(double seconds) {
  return rate(seconds, [&](int thread) {
    [[maybe_unused]] volatile int32_t kept;  // or the compiler might drop the reads
    int64_t& cursor = cursors_[thread];
    kept = kernels_.read(memory_.data() + thread * share_ + cursor, kSlice);
    cursor = (cursor + kSlice) % share_;
    return kSlice;
  });
}

double Probe::cache_gbps(int64_t bytes_per_thread, double seconds) {
  const int64_t bytes = std::clamp(bytes_per_thread / 1024 * 1024, int64_t{1024}, share_);
  return rate(seconds, [&](int thread) {
    [[maybe_unused]] volatile int32_t kept;
    kept = kernels_.read_cached(memory_.data() + thread * share_, bytes);
    return bytes;
  });
}

double Probe::int8_gops(double seconds) {
  return rate(seconds, [&](int) { return kernels_.int8_dots(kRounds); });
}

double Probe::f32_gflops(double seconds) {
  return rate(seconds, [&](int) { return kernels_.f32_fmas(kRounds); });
}

double Probe::bf16_gflops(double seconds) {
  const CpuFeatures features = detect_cpu_features();
  double best = 0;
  for (const Kernels* kernels : all_kernels())
    if (auto* const kernel = kernels->probe.bf16_dots; kernel && kernels->supported(features))
      best = std::max(best, rate(seconds, [&](int) { return kernel(kRounds); }));
  return best;
}

MachineLimits Probe::limits() {
  constexpr double kSeconds = 0.025;
  const auto best = [](auto measure) {
    double most = 0;
    for (int run = 0; run < 5; ++run) most = std::max(most, measure());
    return most;
  };
  MachineLimits limits;
  limits.dram_gbps = best([&] { return dram_gbps(kSeconds); });
  limits.int8_gops = best([&] { return int8_gops(kSeconds); });
  limits.f32_gflops = best([&] { return f32_gflops(kSeconds); });
  limits.bf16_gflops = best([&] { return bf16_gflops(kSeconds); });
  const CpuFeatures features = detect_cpu_features();
  if (features.l2_bytes > 0)
    limits.l2_gbps = best([&] { return cache_gbps(features.l2_bytes / 2, kSeconds); });
  // An eighth of the third cache, which others on the machine may share as well, but more than the
  // second holds.
  const int64_t third = std::max(features.l3_bytes / 8 / pool_->n_threads(), 2 * features.l2_bytes);
  if (features.l3_bytes > 0) limits.l3_gbps = best([&] { return cache_gbps(third, kSeconds); });
  return limits;
}

Result<MachineLimits> measure_limits(int n_threads) {
  TRY(const auto probe, Probe::start(n_threads));
  return probe->limits();
}

}  // namespace quern::cpu
