// The results of `quern bench`: one row per test, as JSON with llama-bench's names.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cache_group.h"
#include "base/result.h"
#include "measure/speed.h"

namespace quern::measure {

using Json = nlohmann::ordered_json;  // keys stay in the order they were written

// Called before each run with the share that is done, 0 to 1, and what is being measured. False:
// stop, with the error `cancelled`.
using KeepGoing = std::function<bool(double done, std::string_view what)>;

// What the rows of one run have in common.
struct BenchSetup {
  std::string isa, numerics, model;  // model: path or name
  int64_t model_bytes = 0, n_params = 0;
  int n_batch = 0, n_threads = 0;
  std::vector<CacheGroup> cache;  // of the executor of all tests
  int page_tokens = 1;
};

// The first fields of every row.
Json setup_fields(const BenchSetup& setup);

// Rates follow from the traffic of one run. Each sample's share is of the limits measured around
// it; the row's is their median, as are gbps, gops and the limits it states.
Json bench_row(const BenchSetup& setup, const SpeedTest& test, const Traffic& traffic,
               const std::vector<Sample>& samples);

// "pp512", "tg128", "tg32 x 8 after pp128"; with " at 4096" where the cache is filled before.
std::string test_name(const Json& row);

// The rows of an earlier --json, of the file `path`. Errors: invalid_argument (not such rows).
Result<Json> parse_rows(const std::string& text, const std::string& path);

// Adds "earlier_ts" and "ratio" (median tokens per second over the earlier ones) to every row of
// which `earlier` has the same test on as many threads; of several, that which agrees most in
// model, numerics and isa.
void compare(Json& rows, const Json& earlier);

}  // namespace quern::measure
