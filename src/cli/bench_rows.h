// What `quern bench` tells: one row per test, as JSON (with llama-bench's names) and as a table.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"
#include "cli/speed.h"

namespace quern::cli {

// What the rows of one run have in common.
struct BenchSetup {
  std::string isa, numerics, model;  // model: path or name
  int64_t model_bytes = 0, n_params = 0;
  int n_batch = 0, n_threads = 0;
};

// Of a model that was loaded whole, as the flags say.
BenchSetup setup_of(const ModelFlags& flags, const ModelInfo& model);

// What every row of `quern bench` begins with.
Json setup_fields(const BenchSetup& setup);

// Rates follow from the traffic of one run. Each sample's share is of the limits measured around
// it; the row's is their median, as are gbps, gops and the limits it states.
Json bench_row(const BenchSetup& setup, const SpeedTest& test, const Traffic& traffic,
               const std::vector<Sample>& samples);

// "pp512", "tg128", "tg32 x 8 after pp128"; with " at 4096" where the cache is filled before.
std::string test_name(const Json& row);

// The rows of an earlier --json. Errors: as read_file, invalid_argument (no such rows).
Result<Json> read_rows(const std::string& path);

// Adds "earlier_ts" and "ratio" (median tokens per second over the earlier ones) to every row of
// which `earlier` has the same test on as many threads; of several, that which agrees most in
// model, numerics and isa.
void compare(Json& rows, const Json& earlier);

std::string bench_table(const Json& rows);

}  // namespace quern::cli
