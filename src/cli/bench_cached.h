// quern bench --cached N: the time to the first token of a prompt whose beginning was served
// before.
#pragma once
#include <span>
#include <vector>

#include "base/result.h"
#include "cli/json_output.h"
#include "cli/model_flags.h"

namespace quern::cli {

struct CachedTest {
  int n_prompt = 0;
  int n_cached = 0;  // of which the first were read before; fewer than n_prompt
};

// A row a test is added. A run of it asks for one token after a prompt of its own, then after
// another one that begins with the same n_cached tokens. Errors: as Model::load and submit;
// cancelled.
Result<> measure_cached(const ModelFlags& flags, std::span<const CachedTest> tests, int repetitions,
                        int max_batch, Json& rows);
std::string cached_table(const Json& rows);

}  // namespace quern::cli
