#include "measure/bench_passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compile/targets.h"

namespace quern::measure {

namespace {

// Of each probe of a limit; two of them between runs.
constexpr double kProbeSeconds = 0.06;

Result<std::unique_ptr<Executor>> build(std::shared_ptr<const WeightSource> source,
                                        PassBench& bench, std::span<const SpeedTest> tests) {
  CompileOptions& options = bench.compile;
  options.max_rows = bench.n_batch;
  options.cache_tokens = 1;
  for (const SpeedTest& test : tests) {
    options.max_rows = std::max(options.max_rows, test.n_seqs);
    options.cache_tokens = std::max<int64_t>(options.cache_tokens, test.length());
    options.cache_sequences = std::max(options.cache_sequences, test.n_seqs);
  }
  return compile(std::move(source), options);
}

void add_size(const WeightSource& source, BenchSetup& setup) {
  setup.model = source.path();
  for (const Weight& weight : source.weights()) {
    setup.n_params += weight.n_rows() * weight.n_cols();
    setup.model_bytes += static_cast<int64_t>(weight.data.size());
  }
}

}  // namespace

Result<> measure_passes(std::shared_ptr<const WeightSource> source, PassBench bench,
                        BenchSetup setup, std::span<const SpeedTest> tests,
                        const KeepGoing& keep_going, Json& rows) {
  const int threads = bench.compile.threads;
  add_size(*source, setup);
  setup.n_batch = bench.n_batch;
  setup.n_threads = threads;
  const Work work = work_of(*source);
  TRY(const auto executor, build(std::move(source), bench, tests));
  TRY(const auto probe, default_target().probe(threads, ""));
  Speedometer speedometer(*executor, bench.n_batch, [&] {
    return Moment{probe->dram_gbps(kProbeSeconds), probe->int8_gops(kProbeSeconds)};
  });
  setup.cache.assign(executor->groups().begin(), executor->groups().end());
  setup.page_tokens = executor->page_tokens();
  const auto cache = [&](int n_tokens) { return cache_bytes(*executor, n_tokens); };
  const double runs = static_cast<double>(tests.size()) * (bench.repetitions + 1);
  double done = 0;
  for (const SpeedTest& test : tests) {
    const auto go_on = [&](int) {
      return keep_going(done++ / runs, fmt::format("measuring on {} threads", threads));
    };
    TRY(const auto samples, speedometer.measure(test, bench.repetitions, go_on));
    rows.push_back(bench_row(setup, test, traffic_of(test, bench.n_batch, work, cache), samples));
  }
  return Ok{};
}

}  // namespace quern::measure
