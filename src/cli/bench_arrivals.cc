#include "cli/bench_arrivals.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/bench_rows.h"
#include "cli/crowd.h"
#include "cli/progress.h"
#include "cli/readable.h"
#include "cli/signals.h"

namespace quern::cli {

namespace {

constexpr int kRounds = 4;
constexpr uint64_t kSeed = 20;
constexpr int kSpareTokens = 64;  // of a sequence's last page

// Room for the longest requests of random lengths, all at once.
int64_t context_of(std::span<const SpeedTest> tests) {
  int64_t most = 0;
  for (const SpeedTest& test : tests) {
    const int64_t longest = int64_t{test.n_prompt + test.n_gen} * 3 / 2 + 2;
    most = std::max(most, test.n_seqs * (longest + kSpareTokens));
  }
  return most;
}

struct Runs {
  std::vector<double> speeds, running;
};

Json row_of(const ModelFlags& flags, const Model& model, const SpeedTest& test,
            const char* arrivals, const Runs& runs) {
  Json row = setup_fields(setup_of(flags, model.info()));
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

Result<> measure_arrivals(const ModelFlags& flags, std::span<const SpeedTest> tests,
                          int repetitions, int max_batch, Json& rows) {
  LoadOptions load;
  load.context = context_of(tests);
  load.max_batch = max_batch;
  TRY(const Model model, load_model(flags, load));
  Progress bar;
  const double parts = 2.0 * static_cast<double>(std::ssize(tests)) * (repetitions + 1);
  double part = 0;
  for (const SpeedTest& test : tests) {
    const int n = kRounds * test.n_seqs;
    Runs together, random;
    const auto measure = [&](std::span<const Arrival> arrivals, bool rounds,
                             Runs& runs) -> Result<double> {
      TRY(const CrowdRun run, run_crowd(model, arrivals, test.n_seqs, rounds, [&](double done) {
            bar.update((part + done) / parts, fmt::format("{} requests", n));
            return !interrupted();
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
      // Half the time that the work takes: from then on there is always someone who waits.
      const auto arrivals = random_arrivals(n, test.n_prompt, test.n_gen, seconds / 2,
                                            kSeed + static_cast<uint64_t>(i));
      TRY_OK(measure(arrivals, false, random));
    }
    rows.push_back(row_of(flags, model, test, "together", together));
    rows.push_back(row_of(flags, model, test, "random", random));
  }
  return Ok{};
}

std::string arrivals_table(const Json& rows) {
  const Json& first = rows.front();
  size_t width = 4;
  for (const Json& row : rows) width = std::max(width, test_name(row).size());
  std::string text =
      fmt::format("{}\n{}, {}\n\n", shown(first.at("model_filename").get<std::string>()),
                  first.at("isa").get<std::string>(), first.at("numerics").get<std::string>());
  text += fmt::format("threads {:<{}} {:<9} {:>8} {:>10} {:>8} {:>8} {:>9}\n", "test", width,
                      "arrivals", "requests", "tokens/s", "+-", "running", "of fixed");
  double fixed = 0;
  for (const Json& row : rows) {
    const double speed = row.at("median_ts").get<double>();
    const auto arrivals = row.at("arrivals").get<std::string>();
    if (arrivals == "together") fixed = speed;
    text += fmt::format("{:>7} {:<{}} {:<9} {:>8} {:>10.2f} {:>8.2f} {:>8.1f} {:>8.1f}%\n",
                        row.at("n_threads").get<int>(), test_name(row), width, arrivals,
                        row.at("n_requests").get<int>(), speed, row.at("stddev_ts").get<double>(),
                        row.at("mean_running").get<double>(), 100 * speed / fixed);
  }
  return text;
}

}  // namespace quern::cli
