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
    "Each figure is the best of several runs, all threads at once: reading memory (beyond the "
    "caches, in every way known to be\nfast, on large and on small pages; from the second cache "
    "and from the third), and multiplying and adding in registers,\ntwo operations each, by the "
    "instructions that do most in a cycle.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern bench limits\n"
    "  quern bench limits --threads 1,2,4 --json\n"
    "  quern bench limits --isa avx2";

struct Row {
  const char* key;
  const char* name;  // null: in a note on another row
  double cpu::MachineLimits::*value;
  std::string (*note)(const cpu::MachineLimits&) = nullptr;
};

std::string memory_note(const cpu::MachineLimits& limits) {
  return fmt::format("by {}, {} pages", limits.dram_by,
                     limits.dram_large_pages ? "large" : "small");
}

std::string int8_note(const cpu::MachineLimits& limits) {
  std::string note = fmt::format("by {}", limits.int8_by);
  if (limits.int4_gops > limits.int8_gops)
    note += fmt::format("; int4 by int8: {:.1f} by {}", limits.int4_gops, limits.int4_by);
  if (limits.int8_tiles_gops > 0) note += fmt::format("; tiles: {:.1f}", limits.int8_tiles_gops);
  return note;
}

constexpr Row kRows[] = {
    {"dram_gbps", "memory, GB/s", &cpu::MachineLimits::dram_gbps, memory_note},
    {"l3_gbps", "third cache, GB/s", &cpu::MachineLimits::l3_gbps},
    {"l2_gbps", "second cache, GB/s", &cpu::MachineLimits::l2_gbps},
    {"int8_gops", "int8 dot products, GOP/s", &cpu::MachineLimits::int8_gops, int8_note},
    {"int4_gops", nullptr, &cpu::MachineLimits::int4_gops},
    {"int8_tiles_gops", nullptr, &cpu::MachineLimits::int8_tiles_gops},
    {"bf16_gflops", "bf16 dot products, GFLOP/s", &cpu::MachineLimits::bf16_gflops},
    {"f32_gflops", "f32 multiply-adds, GFLOP/s", &cpu::MachineLimits::f32_gflops},
};

struct Measured {
  int n_threads;
  cpu::MachineLimits limits;
};

// Notes are on the last number of threads.
void print_limits(const std::vector<Measured>& all) {
  fmt::print("{:<28}", "threads");
  for (const Measured& m : all) fmt::print(" {:>9}", m.n_threads);
  for (const Row& row : kRows) {
    if (!row.name) continue;
    fmt::print("\n{:<28}", row.name);
    for (const Measured& m : all) {
      const double value = m.limits.*row.value;
      fmt::print(" {:>9}", value > 0 ? fmt::format("{:.1f}", value) : "-");
    }
    if (row.note) fmt::print("  {}", row.note(all.back().limits));
  }
  fmt::print("\n");
}

Json limits_json(const std::vector<Measured>& all, const cpu::Kernels& kernels) {
  Json list = Json::array();
  for (const Measured& m : all) {
    Json value{{"isa", kernels.isa},
               {"n_threads", m.n_threads},
               {"dram_by", m.limits.dram_by},
               {"dram_pages", m.limits.dram_large_pages ? "large" : "small"},
               {"int8_by", m.limits.int8_by},
               {"int4_by", m.limits.int4_by}};
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
  std::string isa;
  Arguments args("bench limits", kSummary, kExamples);
  args.integers("-t,--threads", threads, 1, ThreadPool::kMaxThreads,
                "Threads that measure; a list with commas [1 and one per core]");
  args.text("--isa", isa, "Instruction set to measure, of those `quern doctor` lists [the best]");
  args.flag("--json", json,
            "Print an array, one object a number of threads; without what is not there");
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  const CpuFeatures features = detect_cpu_features();
  const cpu::Kernels* kernels =
      isa.empty() ? &cpu::best_kernels(features) : cpu::find_kernels(isa, features);
  if (!kernels)
    return Error{Code::unsupported, "no instruction set '" + isa + "' here", "--isa",
                 "quern doctor lists those that this processor and this build have"};
  std::vector<Measured> all;
  for (const int n : threads) {
    TRY(const cpu::MachineLimits limits, cpu::measure_limits(n, kernels));
    all.push_back({n, limits});
  }
  if (json) {
    print_json(limits_json(all, *kernels), 2);
  } else {
    print_limits(all);
  }
  return kDone;
}

}  // namespace quern::cli
