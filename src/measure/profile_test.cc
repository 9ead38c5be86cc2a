#include "measure/profile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace quern::measure {
namespace {

const std::vector<std::string> kSteps = {"norm", "product", "norm"};

// Two threads; the product takes 2 and 4 ms, the norms 1 ms on the first alone.
PassProfile pass() {
  constexpr int64_t kMs = 1000000;
  return {kSteps,
          {{0, 0, 10 * kMs, 11 * kMs},
           {1, 0, 11 * kMs, 13 * kMs},
           {2, 0, 16 * kMs, 17 * kMs},
           {0, 1, 10 * kMs, 10 * kMs},
           {1, 1, 11 * kMs, 15 * kMs},
           {2, 1, 16 * kMs, 16 * kMs}},
          7};
}

TEST(Profile, AddsUpStepsOfOneKindAndWhatIsBetween) {
  Profile profile;
  profile.add(pass());
  profile.add(pass());
  EXPECT_EQ(profile.n_passes(), 2);
  std::istringstream table(profile.table());
  std::string line;
  std::getline(table, line);
  std::getline(table, line);
  EXPECT_EQ(line, "     1      4.000   57.1%    25.0%  product");
  std::getline(table, line);
  EXPECT_EQ(line, "     2      2.000   28.6%    50.0%  norm");
  std::getline(table, line);
  EXPECT_EQ(line, "            1.000   14.3%           waiting between steps");
  std::getline(table, line);
  EXPECT_EQ(line, "            7.000  100.0%           a pass, mean of 2");
}

TEST(WriteTrace, IsJsonInMicroseconds) {
  const std::string path =
      testing::TempDir() + "quern_trace_" + std::to_string(::getpid()) + ".json";
  ASSERT_TRUE(write_trace(path, {pass()}));
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file);
  std::remove(path.c_str());
  ASSERT_EQ(json["traceEvents"].size(), 6u);
  const auto& product = json["traceEvents"][4];
  EXPECT_EQ(product["name"], "product");
  EXPECT_EQ(product["tid"], 1);
  EXPECT_EQ(product["ts"], 1000.0);
  EXPECT_EQ(product["dur"], 4000.0);
  EXPECT_EQ(product["args"]["rows"], 7);
  EXPECT_EQ(write_trace("/no/such/folder/trace.json", {}).error().code, Code::not_found);
}

}  // namespace
}  // namespace quern::measure
