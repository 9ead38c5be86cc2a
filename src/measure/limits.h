// `quern bench limits` and `quern doctor`: what this machine can do at most, apart from any model.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "backend/limits.h"
#include "base/result.h"
#include "measure/bench_rows.h"

namespace quern::measure {

// One figure of the limits. name is null where it is a note on another row; note may be null.
struct LimitRow {
  const char* key;
  const char* name;
  double MachineLimits::*value;
  std::string (*note)(const MachineLimits&) = nullptr;
};
std::span<const LimitRow> limit_rows();

struct ThreadLimits {
  int n_threads;
  MachineLimits limits;
};

// On each of these numbers of threads, by the kernels of `isa`; empty: the best. Errors:
// unsupported (no such instruction set here), and those of Target::probe.
Result<std::vector<ThreadLimits>> measure_limits(std::span<const int> threads,
                                                 const std::string& isa);

// An array, one object per number of threads; figures that were not measured are left out.
Json limits_json(std::span<const ThreadLimits> all, const std::string& isa);

}  // namespace quern::measure
