#include "measure/bench_arrivals.h"

#include <fmt/format.h>

#include <algorithm>

#include "measure/requests.h"

namespace quern::measure {

namespace {

constexpr int kRounds = 4;
constexpr uint64_t kSeed = 20;
constexpr int kSpareTokens = 64;  // of a sequence's last page

struct Runs {
  std::vector<double> speeds, running;
};

Json row_of(const BenchSetup& setup, const SpeedTest& test, const char* arrivals,
            const Runs& runs) {
  Json row = setup_fields(setup);
  row.update({{"n_prompt", test.n_prompt},
              {"n_gen", test.n_gen},
              {"n_seqs", test.n_seqs},
              {"n_depth", 0},
              {"arrivals", arrivals},
              {"n_requests", kRounds * test.n_seqs},
              {"mean_running", median(runs.running)},
              {"avg_ts", mean(runs.speeds)},
              {"stddev_ts", deviation(runs.speeds)},
              {"median_ts", median(runs.speeds)},
              {"samples_ts", runs.speeds}});
  return row;
}

}  // namespace

int64_t arrivals_context(std::span<const SpeedTest> tests) {
  int64_t tokens = 0;
  for (const SpeedTest& test : tests) {
    const int64_t longest = int64_t{test.n_prompt + test.n_gen} * 3 / 2 + 2;
    tokens = std::max(tokens, test.n_seqs * (longest + kSpareTokens));
  }
  return tokens;
}

Result<> measure_arrivals(const Model& model, const BenchSetup& setup,
                          std::span<const SpeedTest> tests, int repetitions,
                          const KeepGoing& keep_going, Json& rows) {
  const double parts = 2.0 * static_cast<double>(std::ssize(tests)) * (repetitions + 1);
  double part = 0;
  for (const SpeedTest& test : tests) {
    const int n = kRounds * test.n_seqs;
    Runs together, random;
    const auto measure = [&](std::span<const Arrival> arrivals, bool rounds,
                             Runs& runs) -> Result<double> {
      TRY(const RequestsRun run,
          run_requests(model, arrivals, test.n_seqs, rounds, [&](double done) {
            return keep_going((part + done) / parts, fmt::format("{} requests", n));
          }));
      ++part;
      runs.speeds.push_back(static_cast<double>(run.n_gen) / run.seconds);
      runs.running.push_back(run.mean_running);
      return run.seconds;
    };
    Runs warm;
    const auto equal = equal_arrivals(n, test.n_prompt, test.n_gen);
    TRY(double seconds, measure(equal, true, warm));
    ++part;
    for (int i = 0; i < repetitions; ++i) {
      TRY(seconds, measure(equal, true, together));
      // Over half the time of the work: after that there are always requests waiting.
      const auto arrivals = random_arrivals(n, test.n_prompt, test.n_gen, seconds / 2,
                                            kSeed + static_cast<uint64_t>(i));
      TRY_OK(measure(arrivals, false, random));
    }
    rows.push_back(row_of(setup, test, "together", together));
    rows.push_back(row_of(setup, test, "random", random));
  }
  return Ok{};
}

}  // namespace quern::measure
