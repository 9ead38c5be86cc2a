#include "measure/requests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace quern::measure {
namespace {

TEST(Requests, RandomArrivalsHaveTheSameTokens) {
  for (const int n : {1, 2, 7, 32}) {
    const auto arrivals = random_arrivals(n, 100, 33, 2.5, 1);
    ASSERT_EQ(std::ssize(arrivals), n);
    int prompt = 0, gen = 0;
    for (const Arrival& arrival : arrivals) {
      prompt += arrival.n_prompt;
      gen += arrival.n_gen;
      EXPECT_GE(arrival.n_prompt, 50);
      EXPECT_LE(arrival.n_prompt, 150);
      EXPECT_GE(arrival.n_gen, 16);
      EXPECT_LE(arrival.n_gen, 50);
      EXPECT_GE(arrival.at, 0);
      EXPECT_LT(arrival.at, 2.5);
    }
    EXPECT_EQ(prompt, n * 100);
    EXPECT_EQ(gen, n * 33);
    EXPECT_EQ(arrivals.front().at, 0);
    EXPECT_TRUE(std::ranges::is_sorted(arrivals, {}, &Arrival::at));
  }
}

TEST(Requests, TheSameSeedGivesTheSameArrivals) {
  const auto times = [](uint64_t seed) {
    std::vector<double> values;
    for (const Arrival& a : random_arrivals(16, 64, 16, 1, seed)) values.push_back(a.at + a.n_gen);
    return values;
  };
  EXPECT_EQ(times(1), times(1));
  EXPECT_NE(times(1), times(2));
}

}  // namespace
}  // namespace quern::measure
