// What the micro-benchmarks share. Names are kernel/isa/.../threads:N;
// --benchmark_filter picks by regular expression, --benchmark_list_tests prints
// them all.
#pragma once
#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/limits.h"
#include "base/check.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"

namespace quern::cpu::bench {

inline std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> found;
  for (const Kernels* kernels : all_kernels())
    if (kernels->supported(detect_cpu_features())) found.push_back(kernels);
  return found;
}

// One and all, each once.
inline std::vector<int> thread_counts() {
  const int all = detect_cpu_features().n_cpus;
  return all > 1 ? std::vector<int>{1, all} : std::vector<int>{1};
}

// Threads and limits of a number of threads, made when first asked for.
struct Team {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Probe> probe;
};
inline Team& team(int n_threads) {
  static std::map<int, Team> teams;
  Team& found = teams[n_threads];
  if (!found.pool) {
    auto pool = ThreadPool::start(n_threads);
    auto probe = Probe::start(n_threads);
    CHECK(pool && probe, "threads and memory to measure with");
    found = {std::move(*pool), std::move(*probe)};
  }
  return found;
}

// Registers a benchmark; the threads are the kernel's own. Time is the wall's,
// or what the benchmark states of each iteration.
enum class Timing { wall, stated };
inline void add(const std::string& name, std::function<void(benchmark::State&)> run,
                Timing timing = Timing::wall) {
  auto* added = benchmark::RegisterBenchmark(name.c_str(), std::move(run));
  added->MinTime(0.2)->Unit(benchmark::kMicrosecond);
  timing == Timing::wall ? added->UseRealTime() : added->UseManualTime();
}

// Runs the loop of a benchmark and gives the wall time of one iteration in
// seconds, for figures that the library has no units for.
template <class F>
double loop(benchmark::State& state, F iteration) {
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) iteration();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count() / static_cast<double>(state.iterations());
}

// main() of a program: without a filter it runs what the `usual` one matches.
inline int run(int argc, char** argv, const std::string& usual) {
  std::vector<char*> arguments(argv, argv + argc);
  std::string filter = "--benchmark_filter=" + usual;
  bool chosen = false;
  for (const std::string_view argument : arguments)
    chosen |= argument.starts_with("--benchmark_filter") ||
              argument.starts_with("--benchmark_list_tests");
  if (!chosen) arguments.push_back(filter.data());
  int n = static_cast<int>(arguments.size());
  benchmark::Initialize(&n, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(n, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace quern::cpu::bench
