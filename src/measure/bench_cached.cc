#include "measure/bench_cached.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>

#include "measure/speed.h"

namespace quern::measure {

namespace {

struct FirstToken {
  double ms = 0;
  Timings timings;
};

Result<FirstToken> first_token(const Model& model, const std::vector<int32_t>& prompt,
                               const std::string& salt) {
  GenerateOptions options{.max_tokens = 1, .ignore_eos = true, .cache_salt = salt};
  options.sampling.temperature = 0;
  const auto begin = std::chrono::steady_clock::now();
  TRY(auto streams, model.submit(prompt, options));
  TRY(const Generation answer, streams.front().result());
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
  return FirstToken{time.count(), answer.timings};
}

struct Runs {
  std::vector<double> cold, cached, share;
  int n_computed = 0;  // of the prompt, the second time
};

// Each run has its own salt, so that no run finds the pages of another.
Result<> run_once(const Model& model, const CachedTest& test, std::mt19937_64& random, Runs& runs) {
  const auto n_vocab = static_cast<uint64_t>(model.info().n_vocab);
  const auto id = [&] { return static_cast<int32_t>(random() % n_vocab); };
  std::vector<int32_t> prompt(static_cast<size_t>(test.n_prompt));
  std::ranges::generate(prompt, id);
  const std::string salt = std::to_string(random());
  TRY(const FirstToken cold, first_token(model, prompt, salt));
  std::generate(prompt.begin() + test.n_cached, prompt.end(), id);
  TRY(const FirstToken cached, first_token(model, prompt, salt));
  runs.cold.push_back(cold.ms);
  runs.cached.push_back(cached.ms);
  runs.share.push_back(cached.ms / cold.ms);
  runs.n_computed = cached.timings.prompt_n;
  return Ok{};
}

Json row_of(const BenchSetup& setup, const CachedTest& test, const Runs& runs) {
  Json row = setup_fields(setup);
  row.update({{"n_prompt", test.n_prompt},
              {"n_cached", test.n_cached},
              {"n_computed", runs.n_computed},
              {"first_token_cold_ms", median(runs.cold)},
              {"first_token_cached_ms", median(runs.cached)},
              {"share", median(runs.share)},
              {"samples_cold_ms", runs.cold},
              {"samples_cached_ms", runs.cached}});
  return row;
}

}  // namespace

int64_t cached_context(std::span<const CachedTest> tests) {
  int64_t tokens = 0;
  for (const CachedTest& test : tests)
    tokens = std::max<int64_t>(tokens, 2 * int64_t{test.n_prompt} + 2);
  return tokens;
}

Result<> measure_cached(const Model& model, const BenchSetup& setup,
                        std::span<const CachedTest> tests, int repetitions,
                        const KeepGoing& keep_going, Json& rows) {
  std::mt19937_64 random(3);
  const double n = static_cast<double>(std::ssize(tests)) * (repetitions + 1);
  double done = 0;
  for (const CachedTest& test : tests) {
    Runs warm, runs;
    for (int i = 0; i <= repetitions; ++i) {
      if (!keep_going(done++ / n,
                      fmt::format("{} tokens, {} cached", test.n_prompt, test.n_cached)))
        return Error{Code::cancelled, "stopped while measuring", {}, {}};
      TRY_OK(run_once(model, test, random, i == 0 ? warm : runs));
    }
    rows.push_back(row_of(setup, test, runs));
  }
  return Ok{};
}

}  // namespace quern::measure
