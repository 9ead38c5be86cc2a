// `quern bench limits`: what this machine can do at most, apart from any model.
#pragma once
#include "base/result.h"

namespace quern::cli {

// argv[0] is "limits". Returns the exit code.
Result<int> run_bench_limits(int argc, const char* const* argv);

}  // namespace quern::cli
