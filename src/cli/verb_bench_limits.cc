// quern bench limits: what this machine can do at most, apart from any model.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/verbs.h"
#include "measure/limits.h"

namespace quern::cli {

namespace {

using measure::LimitRow;
using measure::ThreadLimits;

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

// Notes are on the last number of threads.
void print_limits(const std::vector<ThreadLimits>& all) {
  fmt::print("{:<28}", "threads");
  for (const ThreadLimits& m : all) fmt::print(" {:>9}", m.n_threads);
  for (const LimitRow& row : measure::limit_rows()) {
    if (!row.name) continue;
    fmt::print("\n{:<28}", row.name);
    for (const ThreadLimits& m : all) {
      const double value = m.limits.*row.value;
      fmt::print(" {:>9}", value > 0 ? fmt::format("{:.1f}", value) : "-");
    }
    if (row.note) fmt::print("  {}", row.note(all.back().limits));
  }
  fmt::print("\n");
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
  TRY(const auto all, measure::measure_limits(threads, isa));
  if (json) {
    print_json(measure::limits_json(all, isa), 2);
  } else {
    print_limits(all);
  }
  return kDone;
}

}  // namespace quern::cli
