#include "backend/cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/cpu_features.h"
#include "base/threads.h"

namespace quern::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kMin = int64_t{256} << 20, kMax = int64_t{1} << 30;
constexpr int64_t kSlice = int64_t{1} << 20;  // bytes between two looks at the clock
constexpr int64_t kRounds = 5000;             // some 30 us of operations, likewise

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void let_others_run() {
#if QUERN_THREADS
  std::this_thread::yield();
#endif
}

// The best of n: other programs can only slow a measurement.
template <class F>
double best_of(int n, F measure) {
  double most = 0;
  for (int run = 0; run < n; ++run) most = std::max(most, measure());
  return most;
}

}  // namespace

Result<std::unique_ptr<Probe>> Probe::start(int n_threads, const Kernels* kernels) {
  const CpuFeatures features = detect_cpu_features();
  TRY(auto pool, ThreadPool::start(n_threads));
  const int64_t wanted = std::clamp(4 * features.l3_bytes * features.n_l3, kMin, kMax);
  const int64_t share = std::max(wanted / n_threads / kSlice, int64_t{1}) * kSlice;
  std::unique_ptr<Probe> probe(new Probe(kernels ? *kernels : best_kernels(features), share));
  probe->pool_ = std::move(pool);
  TRY_OK(probe->take_memory(true));
  probe->choose_read();
  return probe;
}

Result<> Probe::take_memory(bool large_pages) {
  memory_ = {};  // freed before more is allocated
  // A prefetch may reach a little beyond what is read.
  TRY(memory_, WeightMemory::allocate(share_ * pool_->n_threads() + kSlice, large_pages));
  cursors_.assign(static_cast<size_t>(pool_->n_threads()), 0);
  std::byte* data = memory_.data();
  // Each thread writes its own part, so that on NUMA machines it is local; and not zeros, which may
  // all be one page.
  pool_->run([&](int thread, int) { std::memset(data + thread * share_, 1, share_); });
  return Ok{};
}

// Which way is fastest differs by processor, and by as much as a third.
void Probe::choose_read() {
  double most = 0;
  for (int turn = 0; turn < 2; ++turn)
    for (const ReadProbe& read : kernels_.probe.reads) {
      const ReadProbe* before = std::exchange(read_, &read);
      const double found = dram_gbps(0.02);
      if (found <= most) read_ = before;
      most = std::max(most, found);
    }
}

// work(thread) does a little and returns how much. The threads begin when all are ready, and end
// when the first of them sees that time is up, so that none is measured while others are idle.
template <class F>
double Probe::rate(double seconds, F work) {
  struct alignas(64) Part {
    double done = 0;
    Clock::time_point begin, end;
  };
  std::vector<Part> parts(static_cast<size_t>(pool_->n_threads()));
  std::atomic<int> n_there{0};
  std::atomic<bool> is_over{false};
  pool_->run([&](int thread, int n_threads) {
    n_there.fetch_add(1);
    while (n_there.load() < n_threads) let_others_run();
    Part mine{.done = 0, .begin = Clock::now(), .end = {}};
    do {
      mine.done += static_cast<double>(work(thread));
      if (seconds_since(mine.begin) >= seconds) is_over.store(true, std::memory_order_relaxed);
    } while (!is_over.load(std::memory_order_relaxed));
    mine.end = Clock::now();
    parts[thread] = mine;
  });
  Part all = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    all.done += parts[i].done;
    all.begin = std::min(all.begin, parts[i].begin);
    all.end = std::max(all.end, parts[i].end);
  }
  return all.done / std::chrono::duration<double>(all.end - all.begin).count() / 1e9;
}

double Probe::rate_of(const OperationProbe& probe, double seconds) {
  return rate(seconds, [&](int) { return probe.run(kRounds); });
}

double Probe::dram_gbps(double seconds) {
  return rate(seconds, [&](int thread) {
    [[maybe_unused]] volatile int32_t kept;  // or the compiler might drop the reads
    int64_t& cursor = cursors_[thread];
    kept = read_->run(memory_.data() + thread * share_ + cursor, kSlice);
    cursor = (cursor + kSlice) % share_;
    return kSlice;
  });
}

double Probe::cache_gbps(int64_t bytes_per_thread, double seconds) {
  const int64_t bytes = std::clamp(bytes_per_thread / 4096 * 4096, int64_t{4096}, share_);
  return rate(seconds, [&](int thread) {
    [[maybe_unused]] volatile int32_t kept;
    kept = kernels_.probe.reads[0].run(memory_.data() + thread * share_, bytes);
    return bytes;
  });
}

Result<MachineLimits> Probe::limits() {
  constexpr double kSeconds = 0.03, kMemorySeconds = 0.1;
  constexpr int kRuns = 5;
  MachineLimits limits;
  for (const bool large_pages : {true, false}) {
    if (!large_pages) TRY_OK(take_memory(false));
    choose_read();
    const double found = best_of(kRuns, [&] { return dram_gbps(kMemorySeconds); });
    if (found <= limits.dram_gbps) continue;
    limits.dram_gbps = found;
    limits.dram_by = read_->name;
    limits.dram_large_pages = large_pages;
  }
  const auto best_rate = [&](const OperationProbe& probe) {
    return probe.run ? best_of(kRuns, [&] { return rate_of(probe, kSeconds); }) : 0;
  };
  const ProbeKernels& probe = kernels_.probe;
  limits.int8_gops = best_rate(probe.int8);
  limits.int8_by = probe.int8.instructions;
  const double int4_gops = best_rate(probe.int4);
  const bool int4_is_faster = int4_gops > limits.int8_gops;
  limits.int4_gops = int4_is_faster ? int4_gops : limits.int8_gops;
  limits.int4_by = int4_is_faster ? probe.int4.instructions : limits.int8_by;
  limits.int8_tiles_gops = best_rate(probe.int8_tiles);
  limits.f32_gflops = best_rate(probe.f32);
  limits.bf16_gflops = best_rate(probe.bf16);
  TRY_OK(take_memory(true));
  const CpuFeatures features = detect_cpu_features();
  if (features.l2_bytes > 0)
    limits.l2_gbps = best_of(kRuns, [&] { return cache_gbps(features.l2_bytes / 2, kSeconds); });
  // An eighth of the L3 cache, since other programs may share it, but more than the L2 holds.
  const int64_t third =
      std::max(features.l3_bytes * features.n_l3 / 8 / pool_->n_threads(), 2 * features.l2_bytes);
  if (features.l3_bytes > 0)
    limits.l3_gbps = best_of(kRuns, [&] { return cache_gbps(third, kSeconds); });
  return limits;
}

Result<MachineLimits> measure_limits(int n_threads, const Kernels* kernels) {
  TRY(const auto probe, Probe::start(n_threads, kernels));
  return probe->limits();
}

}  // namespace quern::cpu
