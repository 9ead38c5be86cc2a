// quern bench --cached N: the time to the first token of a prompt whose first N tokens are in the
// prefix cache.
#pragma once
#include <cstdint>
#include <span>

#include "base/result.h"
#include "measure/bench_rows.h"
#include "quern/model.h"

namespace quern::measure {

struct CachedTest {
  int n_prompt = 0;
  int n_cached = 0;  // of which the first were read before; fewer than n_prompt
};

// Tokens of context that measure_cached needs.
int64_t cached_context(std::span<const CachedTest> tests);

// Adds one row per test. Each run asks for one token after a new prompt, then after another prompt
// that begins with the same n_cached tokens. Errors: as Model::submit; cancelled.
Result<> measure_cached(const Model& model, const BenchSetup& setup,
                        std::span<const CachedTest> tests, int repetitions,
                        const KeepGoing& keep_going, Json& rows);

}  // namespace quern::measure
