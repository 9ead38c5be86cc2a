// quern bench: tokens per second, beside what this machine could do at most.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "api/known_models.h"
#include "api/random_model.h"
#include "backend/cpu/probe.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/profile.h"
#include "cli/progress.h"
#include "cli/readable.h"
#include "cli/signals.h"
#include "cli/speed.h"
#include "cli/verbs.h"
#include "compile/compile.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "Measure tokens per second of reading a prompt (pp) and of generating (tg), beside this "
    "machine's measured limits.\n"
    "W and B are the numbers and the bytes (as the file stores them) of all matrices a token is "
    "multiplied with: not the\nembedding, unless it is the head too. A pass reads B once; a pass "
    "of "
    "tg is one token, one of pp is --batch tokens.\n"
    "  gbps = B * passes per second / 1e9        share_dram = gbps / measured memory bandwidth\n"
    "  gops = 2 * W * tokens per second / 1e9    share_int8 = gops / measured int8 dot products\n"
    "(the head is computed for the last token of a prompt alone, so gops of pp leaves it out). The "
    "limits are measured\nin the same run, on as many threads.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern bench\n"
    "  quern bench model.gguf -p 128,512 -n 64 -r 3 --threads 2 --json\n"
    "  quern bench --shape llama-3.2-1b --quant q4_0 -n 32";

struct Flags {
  ModelFlags model;
  std::string shape, quant, head_quant;
  std::vector<int> n_prompt{512}, n_gen{128};
  int repetitions = 5, batch = 512;
  bool profile = false;
  std::optional<std::string> trace;
  bool json = false;
};

Result<std::shared_ptr<const WeightSource>> open_source(const Flags& flags) {
  if (!flags.shape.empty()) {
    Progress bar;
    TRY(auto random,
        random_model(flags.shape, {flags.quant.empty() ? "q4_0" : flags.quant, flags.head_quant},
                     [&bar](double done, std::string_view what) { bar.update(done, what); }));
    return std::shared_ptr<const WeightSource>(std::move(random));
  }
  TRY(const std::string path, resolve_model(flags.model.model));
  TRY(auto file, open_model(path));
  return std::shared_ptr<const WeightSource>(std::move(file));
}

std::vector<SpeedTest> tests_of(const Flags& flags) {
  std::vector<SpeedTest> tests;
  for (const int n : flags.n_prompt)
    if (n > 0) tests.push_back({.n_prompt = n});
  for (const int n : flags.n_gen)
    if (n > 0) tests.push_back({.n_gen = n});
  return tests;
}

Result<std::unique_ptr<Executor>> build(std::shared_ptr<const WeightSource> source,
                                        const Flags& flags, const std::vector<SpeedTest>& tests,
                                        ProfileCollector& profile) {
  int longest = 1;
  for (const SpeedTest& test : tests) longest = std::max({longest, test.n_prompt, test.n_gen});
  Progress bar;
  CompileOptions options;
  options.threads = threads_in_use(flags.model);
  TRY(options.numerics, numerics_of(flags.model));
  options.max_rows = flags.batch;
  options.n_pages = longest / 64 + 1;
  options.isa = flags.model.isa;
  if (flags.profile || flags.trace)
    options.profile = [&profile](const PassProfile& pass) { profile.add(pass); };
  options.dump = flags.model.dump;
  options.dump_out = print_dump;
  options.progress = [&bar](double done, std::string_view what) { bar.update(done, what); };
  return compile(std::move(source), options);
}

struct Row {
  SpeedTest test;
  Speed speed;
  double gbps, gops;
};

// See kSummary.
Row row_of(const SpeedTest& test, const Speed& speed, const Work& work, int batch) {
  const double tokens = speed.mean();
  const int n_tokens = std::max(test.n_prompt, test.n_gen);
  const int passes = test.n_gen > 0 ? n_tokens : (n_tokens + batch - 1) / batch;
  const double weights = static_cast<double>(test.n_gen > 0 ? work.weights : work.body_weights);
  return {test, speed, static_cast<double>(work.bytes) * tokens * passes / n_tokens / 1e9,
          2 * weights * tokens / 1e9};
}

Json row_json(const Row& row, const WeightSource& source, const Flags& flags,
              const cpu::MachineLimits& limits) {
  int64_t n_params = 0, bytes = 0;
  for (const Weight& weight : source.weights()) {
    n_params += weight.n_rows() * weight.n_cols();
    bytes += static_cast<int64_t>(weight.data.size());
  }
  return {{"backend", "cpu"},
          {"isa", isa_in_use(flags.model)},
          {"numerics", flags.model.exact ? "exact" : flags.model.numerics},
          {"model_filename", source.path()},
          {"model_size", bytes},
          {"model_n_params", n_params},
          {"n_batch", flags.batch},
          {"n_threads", threads_in_use(flags.model)},
          {"n_prompt", row.test.n_prompt},
          {"n_gen", row.test.n_gen},
          {"avg_ts", row.speed.mean()},
          {"stddev_ts", row.speed.deviation()},
          {"samples_ts", row.speed.samples},
          {"gbps", row.gbps},
          {"gops", row.gops},
          {"share_dram", row.gbps / limits.dram_gbps},
          {"share_int8", row.gops / limits.int8_gops},
          {"dram_gbps", limits.dram_gbps},
          {"int8_gops", limits.int8_gops}};
}

void print_table(const std::vector<Row>& rows, const WeightSource& source, const Flags& flags,
                 const cpu::MachineLimits& limits) {
  fmt::print("{}\n{} threads, {}{}; this machine: {:.1f} GB/s, {:.0f} int8 GOP/s\n\n",
             shown(source.path()), threads_in_use(flags.model), isa_in_use(flags.model),
             flags.model.exact                ? ", exact"
             : flags.model.numerics == "auto" ? ""
                                              : ", " + flags.model.numerics,
             limits.dram_gbps, limits.int8_gops);
  fmt::print("{:<8} {:>10} {:>8} {:>8} {:>7} {:>9} {:>7}\n", "test", "tokens/s", "+-", "GB/s",
             "of DRAM", "GOP/s", "of int8");
  for (const Row& row : rows) {
    const SpeedTest& test = row.test;
    const std::string name =
        test.n_gen > 0 ? fmt::format("tg{}", test.n_gen) : fmt::format("pp{}", test.n_prompt);
    fmt::print("{:<8} {:>10.2f} {:>8.2f} {:>8.2f} {:>6.1f}% {:>9.1f} {:>6.1f}%\n", name,
               row.speed.mean(), row.speed.deviation(), row.gbps, 100 * row.gbps / limits.dram_gbps,
               row.gops, 100 * row.gops / limits.int8_gops);
  }
}

Result<std::vector<Row>> measure_all(Executor& executor, const std::vector<SpeedTest>& tests,
                                     const Work& work, const Flags& flags) {
  std::vector<Row> rows;
  Progress bar;
  const double runs = static_cast<double>(tests.size()) * (flags.repetitions + 1);
  for (const SpeedTest& test : tests) {
    const auto keep_going = [&](int run) {
      const double done = static_cast<double>(rows.size()) * (flags.repetitions + 1) + run;
      bar.update(done / runs, "measuring");
      return !interrupted();
    };
    TRY(const Speed speed, measure(executor, test, flags.batch, flags.repetitions, keep_going));
    rows.push_back(row_of(test, speed, work, flags.batch));
  }
  return rows;
}

void add_flags(Arguments& args, Flags& flags) {
  add_model(args, flags.model.model);
  std::string shapes, formats;
  for (const auto name : shape_names()) shapes += fmt::format(" {}", name);
  for (const auto name : random_format_names()) formats += fmt::format(" {}", name);
  args.text("--shape", flags.shape, "Random weights of this shape instead of a file:" + shapes,
            "NAME");
  args.text("--quant", flags.quant, "Their number format [q4_0]:" + formats, "NAME");
  args.text("--head-quant", flags.head_quant,
            "That of the vocabulary matrices [as --quant; q6_k where that is ternary]", "NAME");
  args.integers("-p,--n-prompt", flags.n_prompt, 0, 1 << 20,
                "Prompt tokens; a list with commas; 0: no such test [512]");
  args.integers("-n,--n-gen", flags.n_gen, 0, 1 << 20,
                "Tokens to generate; a list with commas; 0: no such test [128]");
  args.integer("-r,--repetitions", flags.repetitions, 1, 1000,
               "Runs that count, after one to warm up [5]");
  args.integer("-b,--batch", flags.batch, 1, 1 << 16, "Tokens of a prompt in one pass [512]");
  args.flag("--profile", flags.profile,
            "Print where the time of a pass goes, by kind of step, to stderr");
  args.text("--trace", flags.trace,
            "Write the last passes, step by step, for chrome://tracing or ui.perfetto.dev", "FILE");
  args.flag("--json", flags.json, "Print an array, one object a test, with llama-bench's names");
  add_machine_flags(args, flags.model);
  args.exclusive({"MODEL", "--shape"});
}

}  // namespace

Result<int> run_bench(int argc, const char* const* argv) {
  Flags flags;
  Arguments args("bench", kSummary, kExamples);
  add_flags(args, flags);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  if (flags.shape.empty() && !(flags.quant.empty() && flags.head_quant.empty()))
    return Error{Code::invalid_argument,
                 std::string(flags.quant.empty() ? "--head-quant" : "--quant") + " needs --shape",
                 {},
                 "a file's format is what it is; name a shape for random weights"};
  const std::vector<SpeedTest> tests = tests_of(flags);
  if (tests.empty())
    return Error{Code::invalid_argument, "-p and -n are both 0: nothing to measure", {}, {}};

  catch_interrupts();
  TRY(const auto source, open_source(flags));
  ProfileCollector profile(flags.trace.has_value());
  TRY(const auto executor, build(source, flags, tests, profile));
  TRY(const auto rows, measure_all(*executor, tests, work_of(*source), flags));
  TRY(const cpu::MachineLimits limits, cpu::measure_limits(threads_in_use(flags.model)));
  if (flags.profile) fmt::print(stderr, "{}", profile.tables());
  if (flags.trace) TRY_OK(write_trace(*flags.trace, profile.passes()));
  if (!flags.json) {
    print_table(rows, *source, flags, limits);
    return kDone;
  }
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(row_json(row, *source, flags, limits));
  print_json(list, 2);
  return kDone;
}

}  // namespace quern::cli
