// quern tune: searches for the fastest tiling on this machine, and keeps it.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/known_models.h"
#include "api/user_cache.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/source_flags.h"
#include "cli/verbs.h"
#include "compile/targets.h"
#include "measure/tune.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Search for the fastest tiling of matrix products on this machine (pieces a thread takes,\n"
    "tiles, prefetch distance) and keep what beats the defaults by more than the noise. Results\n"
    "of models do not change by a bit. Records hold for this processor, instruction set, number\n"
    "of threads and products of the same shape and format; models read them when they are\n"
    "loaded, unless --tuning is off. Takes a minute or so for a small model; run nothing else\n"
    "meanwhile.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern tune                     # the default model\n"
    "  quern tune model.gguf --threads 8\n"
    "  quern tune --shape llama-3.2-1b --quant q4_0 --quick\n"
    "  quern tune --list\n"
    "  quern tune --clear";

struct Flags {
  SourceFlags source;
  bool quick = false, list = false, clear = false, json = false;
};

Result<int> list_records(const Flags& flags) {
  const std::string path = tuning_path();
  TRY(const auto records, measure::tuning_records(path));
  if (flags.json) {
    print_json(measure::records_json(records), 2);
    return kDone;
  }
  if (records.empty()) fmt::print("no records in {}\n", path);
  for (const TuningRecord& r : records)
    fmt::print("{}, {}, {} threads, kernels {}: {}: {} = {} ({:+.1f} %, {})\n", r.key.cpu,
               r.key.isa, r.key.threads, r.key.kernels, r.product, r.parameter, r.value,
               100 * r.gain, r.measured);
  return kDone;
}

Result<int> clear_records(const Flags& flags) {
  TRY(const int n, measure::clear_tuning_records(tuning_path()));
  if (flags.json)
    print_json(Json{{"cleared", n}}, 2);
  else
    fmt::print("{} records cleared\n", n);
  return kDone;
}

void print_findings(const std::vector<ProductFindings>& found) {
  const auto improved = [](const ProductFindings& p) { return !p.findings.empty(); };
  size_t width = 0;
  for (const ProductFindings& product : found) width = std::max(width, product.product.size());
  for (const ProductFindings& product : found) {
    if (!improved(product)) fmt::print("{:<{}}  the defaults\n", product.product, width);
    for (const Finding& finding : product.findings) {
      std::string changes;
      for (const size_t p : finding.changed) {
        const TuningParameter& parameter = default_target().tuning_parameters()[p];
        changes += fmt::format("{}{} {} -> {}", changes.empty() ? "" : ", ", parameter.name,
                               parameter.usual, product.best[p]);
      }
      fmt::print("{:<{}}  {}: {} ({:+.1f} %)\n", product.product, width,
                 measure::passes_text(finding.n_rows), changes, 100 * finding.gain);
    }
  }
  if (std::ranges::none_of(found, improved))
    fmt::print("nothing beat the defaults by more than the noise\n");
}

Result<int> search(const Flags& flags) {
  const ModelFlags& model = flags.source.model;
  SearchOptions options{.quick = flags.quick};
  options.compile.threads = threads_in_use(model);
  options.compile.numerics = numerics_of(model);
  options.compile.kv = model.load.kv;
  options.compile.isa = model.load.isa;
  options.compile.pin = model.load.pin;
  options.compile.dump = model.load.dump;
  options.compile.dump_out = print_dump;
  catch_interrupts();
  TRY(auto source, open_source(flags.source));
  Progress bar;
  options.compile.progress = [&bar](double done, std::string_view what) { bar.update(done, what); };
  options.keep_going = [&bar](double done, std::string_view what) {
    bar.update(done, what);
    return !interrupted();
  };
  TRY(const auto found, measure::tune(std::move(source), options, tuning_path()));
  bar.clear();
  if (flags.json)
    print_json(measure::findings_json(found), 2);
  else
    print_findings(found);
  return kDone;
}

}  // namespace

Result<int> run_tune(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("tune", kSummary, kExamples);
  add_source_flags(args, flags.source);
  args.flag("--quick", flags.quick, "Fewer rounds and shorter prompts: sees only larger gains");
  args.flag("--list", flags.list, "Print all records instead");
  args.flag("--clear", flags.clear, "Forget all records instead");
  args.flag("--json", flags.json, "Print JSON");
  args.exclusive({"--list", "--clear"});
  add_machine_flags(args, flags.source.model);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  if (flags.list) return list_records(flags);
  if (flags.clear) return clear_records(flags);
  TRY_OK(check_source(flags.source));
  return search(flags);
}

}  // namespace quern::cli
