#include "cli/bench_limits.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/limits.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Measure what this machine can do at most: what the shares of `quern bench` are shares of.\n"
    "Each figure is the best of five runs of 25 ms, all threads at once: reading memory in order "
    "(beyond the caches, from the\nsecond and from the third), and multiplying and adding in "
    "registers, two operations each.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern bench limits\n"
    "  quern bench limits --threads 1,2,4 --json";

struct Row {
  const char* key;
  const char* name;
  double cpu::MachineLimits::*value;
};
constexpr Row kRows[] = {
    {"dram_gbps", "memory, GB/s", &cpu::MachineLimits::dram_gbps},
    {"l3_gbps", "third cache, GB/s", &cpu::MachineLimits::l3_gbps},
    {"l2_gbps", "second cache, GB/s", &cpu::MachineLimits::l2_gbps},
    {"int8_gops", "int8 dot products, GOP/s", &cpu::MachineLimits::int8_gops},
    {"bf16_gflops", "bf16 dot products, GFLOP/s", &cpu::MachineLimits::bf16_gflops},
    {"f32_gflops", "f32 multiply-adds, GFLOP/s", &cpu::MachineLimits::f32_gflops},
};

struct Measured {
  int n_threads;
  cpu::MachineLimits limits;
};

void print_limits(const std::vector<Measured>& all) {
  fmt::print("{:<28}", "threads");
  for (const Measured& m : all) fmt::print(" {:>9}", m.n_threads);
  for (const Row& row : kRows) {
    fmt::print("\n{:<28}", row.name);
    for (const Measured& m : all) {
      const double value = m.limits.*row.value;
      fmt::print(" {:>9}", value > 0 ? fmt::format("{:.1f}", value) : "-");
    }
  }
  fmt::print("\n");
}

Json limits_json(const std::vector<Measured>& all) {
  Json list = Json::array();
  for (const Measured& m : all) {
    Json value{{"isa", cpu::best_kernels(detect_cpu_features()).isa}, {"n_threads", m.n_threads}};
    for (const Row& row : kRows)
      if (m.limits.*row.value > 0) value[row.key] = m.limits.*row.value;
    list.push_back(std::move(value));
  }
  return list;
}

}  // namespace

Result<int> run_bench_limits(int argc, const char* const* argv) {
  std::vector<int> threads{1};
  if (const int all = detect_cpu_features().n_cpus; all > 1) threads.push_back(all);
  bool json = false;
  Arguments args("bench limits", kSummary, kExamples);
  args.integers("-t,--threads", threads, 1, ThreadPool::kMaxThreads,
                "Threads that measure; a list with commas [1 and one per core]");
  args.flag("--json", json,
            "Print an array, one object a number of threads; without what is not there");
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  std::vector<Measured> all;
  for (const int n : threads) {
    TRY(const cpu::MachineLimits limits, cpu::measure_limits(n));
    all.push_back({n, limits});
  }
  if (json) {
    print_json(limits_json(all), 2);
  } else {
    print_limits(all);
  }
  return kDone;
}

}  // namespace quern::cli
