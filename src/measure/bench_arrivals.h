// quern bench --arrivals random: requests that arrive at random times, beside the same load in
// rounds that begin together.
#pragma once
#include <cstdint>
#include <span>

#include "base/result.h"
#include "measure/bench_rows.h"
#include "measure/speed.h"
#include "quern/model.h"

namespace quern::measure {

// Tokens of context that measure_arrivals needs: the longest requests of random lengths, all at
// once.
int64_t arrivals_context(std::span<const SpeedTest> tests);

// Every test twice, in rounds that begin together and with random arrivals and lengths; a row of
// each is added. A test is 4 * n_seqs requests. Errors: as run_requests.
Result<> measure_arrivals(const Model& model, const BenchSetup& setup,
                          std::span<const SpeedTest> tests, int repetitions,
                          const KeepGoing& keep_going, Json& rows);

}  // namespace quern::measure
