// quern doctor: what this machine offers, what Quern chooses, and what is missing.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "api/known_models.h"
#include "backend/limits.h"
#include "base/cpu_features.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/memory.h"
#include "cli/model_flags.h"
#include "cli/readable.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "compile/targets.h"
#include "formats/weight_source.h"
#include "measure/limits.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Show what this machine offers (processor, memory, threads, measured limits), what Quern "
    "picks, "
    "and what is missing.\nExit code 1 if something is missing.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern doctor\n"
    "  quern doctor --json --no-measure";

constexpr const char* kLargePages[] = {"unknown", "given", "refused"};  // in the enum's order

struct Findings {
  CpuFeatures cpu;
  std::string isa;
  std::vector<std::string> available, compiled;
  Memory memory;
  LargePages large_pages = LargePages::unknown;
  int online = 0;          // CPUs of the machine
  MachineLimits limits{};  // zero: not measured
  std::string model_path;  // where the default model is looked for
  bool model_there = false, model_checked = false;
  std::vector<std::string> missing;
};

bool exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

void look_at_kernels(Findings& found) {
  const Target& target = default_target();
  for (const InstructionSet& set : target.instruction_sets()) {
    found.compiled.emplace_back(set.name);
    if (set.runs_here) found.available.emplace_back(set.name);
  }
  found.isa = *target.instruction_set("");
  if (found.available.size() == 1)
    found.missing.push_back(
        "no vector instructions that this build has kernels for: it runs, slowly");
}

void look_at_model(Findings& found) {
  found.model_path = default_model_path();
  found.model_there = exists(found.model_path);
  found.model_checked = exists(found.model_path + ".checked");
  if (!found.model_there) {
    found.missing.push_back("the default model: ./dev chat fetches it");
    return;
  }
  const auto source = open_model(found.model_path);
  if (!source) found.missing.push_back("a whole default model: " + to_string(source.error()));
}

Result<Findings> examine(bool measure) {
  Findings found;
  found.cpu = detect_cpu_features();
  found.memory = machine_memory();
  found.large_pages = large_pages();
  found.online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  look_at_kernels(found);
  look_at_model(found);
  if (measure) {
    const int threads[] = {found.cpu.n_cpus};
    TRY(const auto measured, measure::measure_limits(threads, {}));
    found.limits = measured.front().limits;
  }
  return found;
}

std::string joined(const auto& names) {
  std::string text;
  for (const auto& name : names) text += fmt::format("{}{}", text.empty() ? "" : " ", name);
  return text;
}

Json findings_json(const Findings& found) {
  Json value{
      {"version", QUERN_VERSION},
      {"cpu", found.cpu.model},
      {"features", feature_names(found.cpu)},
      {"isa", found.isa},
      {"isas_available", found.available},
      {"isas_compiled", found.compiled},
      {"cpus_online", found.online},
      {"threads", found.cpu.n_cpus},
      {"caches",
       {{"l1d", found.cpu.l1d_bytes}, {"l2", found.cpu.l2_bytes}, {"l3", found.cpu.l3_bytes}}},
      {"memory_total", found.memory.total},
      {"memory_available", found.memory.available},
      {"large_pages", kLargePages[static_cast<int>(found.large_pages)]},
      {"model",
       {{"path", found.model_path},
        {"present", found.model_there},
        {"verified", found.model_checked}}},
      {"missing", found.missing}};
  if (found.limits.dram_gbps > 0)
    value["limits"] = {{"dram_gbps", found.limits.dram_gbps},
                       {"dram_by", found.limits.dram_by},
                       {"int8_gops", found.limits.int8_gops},
                       {"int8_by", found.limits.int8_by}};
  return value;
}

void row(const char* name, const std::string& value) {
  const Palette& colours = palette(STDOUT_FILENO);
  fmt::print("{}{:<13}{} {}\n", colours.bold, name, colours.reset, shown(value));
}

void print_findings(const Findings& found) {
  const Palette& colours = palette(STDOUT_FILENO);
  row("quern", QUERN_VERSION);
  row("cpu", found.cpu.model);
  row("features", joined(feature_names(found.cpu)));
  row("isa", fmt::format("{} (available: {}; in this build: {})", found.isa,
                         joined(found.available), joined(found.compiled)));
  row("threads", fmt::format("{} on {} CPUs: one per core, by affinity and cgroup quota",
                             found.cpu.n_cpus, found.online));
  row("caches", fmt::format("L1d {}, L2 {}, L3 {}", bytes_text(found.cpu.l1d_bytes),
                            bytes_text(found.cpu.l2_bytes), bytes_text(found.cpu.l3_bytes)));
  row("memory", fmt::format("{}, {} available", bytes_text(found.memory.total),
                            bytes_text(found.memory.available)));
  row("large pages",
      found.large_pages == LargePages::refused
          ? "refused: slower; write madvise to /sys/kernel/mm/transparent_hugepage/enabled"
          : kLargePages[static_cast<int>(found.large_pages)]);
  if (found.limits.dram_gbps > 0)
    row("limits",
        fmt::format("{:.1f} GB/s from memory, {:.0f} GOP/s int8 dot products ({}), on {} threads",
                    found.limits.dram_gbps, found.limits.int8_gops, found.limits.int8_by,
                    found.cpu.n_cpus));
  row("model", fmt::format("{} ({})", found.model_path,
                           !found.model_there    ? "not there"
                           : found.model_checked ? "there, checksum verified when fetched"
                                                 : "there, checksum not verified"));
  for (const std::string& thing : found.missing)
    fmt::print("{}missing{}       {}\n", colours.red, colours.reset, shown(thing));
  if (found.missing.empty()) fmt::print("{}nothing is missing{}\n", colours.green, colours.reset);
}

}  // namespace

Result<int> run_doctor(int argc, const char* const* argv) {
  bool json = false, skip = false;
  Arguments args("doctor", kSummary, kExamples);
  args.flag("--no-measure", skip, "Leave out the limits, which take some seconds to measure");
  args.flag("--json", json, "Print one JSON object");
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  TRY(const Findings found, examine(!skip));
  if (json)
    print_json(findings_json(found), 2);
  else
    print_findings(found);
  return found.missing.empty() ? kDone : kFailed;
}

}  // namespace quern::cli
