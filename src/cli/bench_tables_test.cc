#include "cli/bench_tables.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quern::cli {
namespace {

using measure::Json;

Json row_of(measure::SpeedTest test) {
  return measure::bench_row(
      {.isa = "scalar", .numerics = "fast", .model = "a.gguf", .n_threads = 2}, test,
      {.bytes = 1, .operations = 1}, {{10, {1, 1}}});
}

TEST(BenchTable, HasALineATest) {
  Json rows = Json::array({row_of({.n_prompt = 512}), row_of({.n_gen = 8})});
  const std::string plain = bench_table(rows);
  EXPECT_EQ(std::ranges::count(plain, '\n'), 6);
  EXPECT_NE(plain.find("2 threads, scalar, fast"), std::string::npos);
  EXPECT_NE(plain.find("\npp512 "), std::string::npos);
  EXPECT_EQ(plain.find("ratio"), std::string::npos);
  rows[1]["n_threads"] = 1;
  rows[1]["ratio"] = 2.0;
  rows[1]["earlier_ts"] = 5.0;
  const std::string sweep = bench_table(rows);
  EXPECT_NE(sweep.find("\nthreads test"), std::string::npos);
  EXPECT_NE(sweep.find("5.00  2.00x"), std::string::npos);
}

}  // namespace
}  // namespace quern::cli
