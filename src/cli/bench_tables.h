// The rows of `quern bench` as tables for people.
#pragma once
#include <string>

#include "measure/bench_rows.h"

namespace quern::cli {

std::string bench_table(const measure::Json& rows);
std::string arrivals_table(const measure::Json& rows);
std::string cached_table(const measure::Json& rows);

}  // namespace quern::cli
