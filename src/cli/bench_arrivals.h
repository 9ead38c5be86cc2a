// quern bench --arrivals random: requests that come when they like, beside as many in step.
#pragma once
#include <span>
#include <vector>

#include "base/result.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/speed.h"

namespace quern::cli {

// Every test twice, in rounds that begin together and with random arrivals and lengths; a row of
// each is added. A test is kRounds * n_seqs requests. Errors: as Model::load, run_crowd.
Result<> measure_arrivals(const ModelFlags& model, std::span<const SpeedTest> tests,
                          int repetitions, int max_batch, Json& rows);
std::string arrivals_table(const Json& rows);

}  // namespace quern::cli
