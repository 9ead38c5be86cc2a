// quern bench: tokens per second, compared with the measured limits of this machine.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/user_cache.h"
#include "base/same_name.h"
#include "base/thread_pool.h"
#include "cli/arguments.h"
#include "cli/bench_tables.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/source_flags.h"
#include "cli/text_input.h"
#include "cli/verbs.h"
#include "measure/bench_arrivals.h"
#include "measure/bench_cached.h"
#include "measure/bench_passes.h"
#include "measure/profile.h"

namespace quern::cli {

namespace {

using measure::BenchSetup;
using measure::CachedTest;
using measure::KeepGoing;
using measure::SpeedTest;

constexpr const char* kSummary =
    "Measure tokens per second of reading a prompt (pp) and of generating (tg), beside this "
    "machine's measured limits.\n"
    "W and B are the numbers and the bytes (as the file stores them) of all matrices a token is "
    "multiplied with: not the\nembedding, unless it is the head too. K are the bytes of keys and "
    "values in the cache. A pass reads B and K once; a pass\nof tg is one token of each sequence, "
    "one of pp is --batch tokens.\n"
    "  GB/s  = (B + K) * passes per second / 1e9    of DRAM = GB/s over the measured memory "
    "bandwidth\n"
    "  GOP/s = 2 * W * tokens per second / 1e9      of int8 = GOP/s over the measured int8 dot "
    "products\n"
    "(the head is computed for the last token of a prompt alone, so pp leaves it out where it is "
    "not). The limits are measured\non as many threads for 60 ms each before and after every run, "
    "since shared machines change by the second; a share is the\nmedian of the runs' shares. "
    "`quern bench limits` measures the limits alone.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern bench\n"
    "  quern bench model.gguf -p 128,512 -n 64 -r 3 --threads 1,2 --json > before.json\n"
    "  quern bench model.gguf -p 128,512 -n 64 -r 3 --threads 1,2 --compare before.json\n"
    "  quern bench --shape llama-3.2-1b --quant q4_0 -n 32 -d 0,4096\n"
    "  quern bench --seqs 8,16,32 -p 128 -n 32     # sequences at once, each with its own prompt\n"
    "  quern bench --seqs 8,32 -p 128 -n 32 --arrivals random\n"
    "  quern bench -p 4000 --cached 3900           # to the first token, most of the prompt "
    "cached\n"
    "  quern bench limits";

struct Flags {
  SourceFlags source;
  std::vector<int> n_prompt{512}, n_gen{128}, n_seqs, n_depth{0}, n_cached, threads;
  int repetitions = 5, batch = 512;
  std::string arrivals = "together";
  bool profile = false;
  std::optional<std::string> trace;
  std::optional<std::string> compare;
  bool json = false;
};

// With --seqs, tests of sequences at once; otherwise prompts, then generation. 0 tokens: no test.
std::vector<SpeedTest> tests_of(const Flags& flags) {
  std::vector<SpeedTest> tests;
  const auto add = [&](SpeedTest test) {
    if (test.timed() > 0) tests.push_back(test);
  };
  for (const int depth : flags.n_depth) {
    for (const int seqs : flags.n_seqs)
      for (const int prompt : flags.n_prompt)
        for (const int gen : flags.n_gen)
          if (gen > 0) add({prompt, gen, seqs, depth});
    if (!flags.n_seqs.empty()) continue;
    for (const int prompt : flags.n_prompt) add({.n_prompt = prompt, .n_depth = depth});
    for (const int gen : flags.n_gen) add({.n_gen = gen, .n_depth = depth});
  }
  return tests;
}

Result<CompileOptions> compile_options(const Flags& flags, int threads) {
  const ModelFlags& model = flags.source.model;
  CompileOptions options;
  options.threads = threads;
  options.numerics = numerics_of(model);
  options.kv = model.load.kv;
  options.isa = model.load.isa;
  options.pin = model.load.pin;
  options.tuning = tuning_of(model, threads);
  if (model.load.packed_cache != PackedUse::off) options.packed_folder = packed_cache_folder();
  options.note = warn;
  options.dump = model.load.dump;
  options.dump_out = print_dump;
  return options;
}

BenchSetup setup_of(const ModelFlags& flags) {
  return {.isa = isa_in_use(flags),
          .numerics = numerics_in_use(flags),
          .n_threads = threads_in_use(flags)};
}

// Moves the bar between runs.
KeepGoing progress_of(Progress& bar) {
  return [&bar](double done, std::string_view what) {
    bar.update(done, what);
    return !interrupted();
  };
}

// All tests on one number of threads; rows are added to the list.
Result<> bench_passes(const std::shared_ptr<const WeightSource>& source, const Flags& flags,
                      const std::vector<SpeedTest>& tests, int threads, Json& rows) {
  measure::ProfileCollector profile(flags.trace.has_value());
  measure::PassBench bench{.n_batch = flags.batch, .repetitions = flags.repetitions};
  TRY(bench.compile, compile_options(flags, threads));
  Progress packing, bar;
  bench.compile.progress = [&packing](double done, std::string_view what) {
    packing.update(done, what);
  };
  if (flags.profile || flags.trace)
    bench.compile.profile = [&profile](const PassProfile& pass) { profile.add(pass); };
  TRY_OK(measure_passes(source, std::move(bench), setup_of(flags.source.model), tests,
                        progress_of(bar), rows));
  bar.clear();
  if (flags.profile) fmt::print(stderr, "{}", profile.tables());
  if (flags.trace) TRY_OK(measure::write_trace(*flags.trace, profile.passes()));
  return Ok{};
}

void add_test_flags(Arguments& args, Flags& flags) {
  args.integers("-p,--n-prompt", flags.n_prompt, 0, 1 << 20,
                "Prompt tokens; a list with commas; 0: no such test [512]");
  args.integers("-n,--n-gen", flags.n_gen, 0, 1 << 20,
                "Tokens to generate; a list with commas; 0: no such test [128]");
  args.integers("--seqs", flags.n_seqs, 1, 1 << 12,
                "Instead: this many sequences at once, each generates -n tokens after a prompt of "
                "-p tokens of its own, which is not timed; a list with commas");
  args.text(
      "--arrivals", flags.arrivals,
      "With --seqs: together, the test above, or random: four times as many requests through "
      "the scheduler, --seqs at a time, that arrive at random times with random lengths around "
      "-p and -n, beside the same load in rounds; timed with their prompts, at full load "
      "[together]",
      "WHEN");
  args.integers("--cached", flags.n_cached, 1, 1 << 20,
                "Instead: the time to the first token of a prompt of -p tokens whose first N were "
                "read before, beside that of a new prompt; a list with commas");
  args.integers("-d,--depth", flags.n_depth, 0, 1 << 20,
                "Tokens in the cache before each test, not timed; a list with commas [0]");
  args.integer("-r,--repetitions", flags.repetitions, 1, 1000,
               "Runs that count, after one to warm up [5]");
  args.integer("-b,--batch", flags.batch, 1, 1 << 16, "Tokens of a prompt in one pass [512]");
  args.flag("--profile", flags.profile,
            "Print where the time of a pass goes, by kind of step, to stderr");
  args.text("--trace", flags.trace,
            "Write the last passes, step by step, for chrome://tracing or ui.perfetto.dev", "FILE");
  args.integers("-t,--threads", flags.threads, 1, ThreadPool::kMaxThreads,
                "Threads that compute; a list with commas [one per core this process may use]");
  args.text("--compare", flags.compare,
            "Also print the ratio of these speeds to those of an earlier --json", "FILE");
  args.flag("--json", flags.json, "Print an array, one object a test, with llama-bench's names");
}

bool random_arrivals_wanted(const Flags& flags) { return same_name(flags.arrivals, "random"); }

Result<> refuse(const char* what, const char* fix) {
  return Error{Code::invalid_argument, what, {}, fix};
}

// Flags that only tests of the executor have.
bool asks_for_passes(const Flags& flags) {
  return flags.profile || flags.trace || flags.compare || flags.n_depth != std::vector<int>{0} ||
         std::ranges::find(flags.n_prompt, 0) != flags.n_prompt.end();
}

Result<> check_arrivals(const Flags& flags) {
  if (!random_arrivals_wanted(flags))
    return same_name(flags.arrivals, "together")
               ? Result<>(Ok{})
               : refuse("no such --arrivals", "there are: together, random");
  if (flags.n_seqs.empty()) return refuse("--arrivals random without --seqs", "add --seqs 8");
  if (!flags.source.shape.empty())
    return refuse("--arrivals random needs a model that can be loaded whole", "leave --shape out");
  if (asks_for_passes(flags))
    return refuse(
        "--arrivals random needs -p above 0 and excludes -d, --profile, --trace, --compare",
        "leave them out");
  return Ok{};
}

Result<> check_cached(const Flags& flags) {
  if (flags.n_cached.empty()) return Ok{};
  if (!flags.source.shape.empty())
    return refuse("--cached needs a model that can be loaded whole", "leave --shape out");
  if (!flags.n_seqs.empty() || asks_for_passes(flags))
    return refuse(
        "--cached needs -p above 0 and excludes --seqs, -d, --profile, --trace, "
        "--compare",
        "leave them out");
  if (std::ranges::max(flags.n_cached) >= std::ranges::min(flags.n_prompt))
    return refuse("--cached is not below -p: nothing would be left to compute",
                  "cache fewer tokens, or take longer prompts");
  return Ok{};
}

Result<> check_flags(const Flags& flags, const std::vector<SpeedTest>& tests) {
  TRY_OK(check_source(flags.source));
  TRY_OK(check_arrivals(flags));
  TRY_OK(check_cached(flags));
  if (tests.empty() && !flags.n_seqs.empty())
    return Error{Code::invalid_argument, "--seqs with -n 0: nothing to measure", {}, {}};
  if (tests.empty())
    return Error{Code::invalid_argument, "-p and -n are both 0: nothing to measure", {}, {}};
  for (const SpeedTest& test : tests)
    if (int64_t{test.length()} * test.n_seqs > int64_t{1} << 28)
      return Error{Code::invalid_argument,
                   fmt::format("{} sequences of {} tokens", test.n_seqs, test.length()),
                   {},
                   "choose fewer or shorter ones: at most 2^28 tokens together"};
  return Ok{};
}

// The tests that use the scheduler, on each number of threads.
Result<int> bench_requests(const Flags& flags, const std::vector<SpeedTest>& tests) {
  std::vector<CachedTest> cached;
  for (const int n_prompt : flags.n_prompt)
    for (const int n_cached : flags.n_cached) cached.push_back({n_prompt, n_cached});
  Json rows = Json::array();
  for (const int threads : flags.threads) {
    ModelFlags model_flags = flags.source.model;
    model_flags.load.threads = threads;
    model_flags.load.max_batch = flags.batch;
    model_flags.load.context =
        cached.empty() ? measure::arrivals_context(tests) : cached_context(cached);
    TRY(const Model model, load_model(model_flags));
    BenchSetup setup = setup_of(model_flags);
    setup.model = model.info().path;
    setup.n_params = model.info().n_parameters;
    Progress bar;
    TRY_OK(cached.empty()
               ? measure_arrivals(model, setup, tests, flags.repetitions, progress_of(bar), rows)
               : measure_cached(model, setup, cached, flags.repetitions, progress_of(bar), rows));
  }
  if (flags.json)
    print_json(rows, 2);
  else
    fmt::print("{}", cached.empty() ? arrivals_table(rows) : cached_table(rows));
  return kDone;
}

}  // namespace

Result<int> run_bench(int argc, const char* const* argv) {
  if (argc > 1 && argv[1] == std::string_view("limits"))
    return run_bench_limits(argc - 1, argv + 1);
  Flags flags;
  Arguments args("bench", kSummary, kExamples);
  add_source_flags(args, flags.source);
  add_test_flags(args, flags);
  add_compute_flags(args, flags.source.model);
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  const std::vector<SpeedTest> tests = tests_of(flags);
  TRY_OK(check_flags(flags, tests));
  Json earlier;
  if (flags.compare) {
    TRY(const std::string text, read_file(*flags.compare));
    TRY(earlier, measure::parse_rows(text, *flags.compare));
  }
  if (flags.threads.empty()) flags.threads = {threads_in_use(flags.source.model)};

  catch_interrupts();
  if (random_arrivals_wanted(flags) || !flags.n_cached.empty()) return bench_requests(flags, tests);
  TRY(const auto source, open_source(flags.source));
  Json rows = Json::array();
  for (const int threads : flags.threads) TRY_OK(bench_passes(source, flags, tests, threads, rows));
  if (flags.compare) measure::compare(rows, earlier);
  if (flags.json) {
    print_json(rows, 2);
  } else {
    fmt::print("{}", bench_table(rows));
  }
  return kDone;
}

}  // namespace quern::cli
