#include "tuning/choice.h"

#include <gtest/gtest.h>

#include <random>

namespace quern {
namespace {

// Times of `n` rounds on a machine whose speed drifts between rounds, where each measurement is off
// by about `noise` and one in ten is disturbed, some threefold. Candidate i takes seconds[i].
std::vector<RoundTimes> measured(const std::vector<double>& seconds, int n, double noise,
                                 unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 1);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<RoundTimes> times(seconds.size());
  for (int round = 0; round < n; ++round) {
    const double drift = 1 + 0.5 * uniform(random);
    for (size_t i = 0; i < seconds.size(); ++i) {
      const double disturbed = uniform(random) < 0.1 ? 1 + 2 * uniform(random) : 1;
      times[i].push_back(seconds[i] * drift * disturbed * std::exp(noise * normal(random)));
    }
  }
  return times;
}

TEST(ChooseFastest, TakesTheFastestOfThoseThatBeatTheDefault) {
  for (unsigned seed = 0; seed < 50; ++seed)
    EXPECT_EQ(choose_fastest(measured({1.0, 1.1, 0.8, 0.9}, 15, 0.01, seed)), 2) << seed;
}

TEST(ChooseFastest, KeepsTheDefaultAmongEqualsHoweverNoisy) {
  for (const double noise : {0.001, 0.01, 0.05, 0.2}) {
    int changed = 0;
    for (unsigned seed = 0; seed < 200; ++seed)
      changed += choose_fastest(measured({1, 1, 1, 1}, 15, noise, seed)) != 0;
    EXPECT_LE(changed, 30) << noise;  // three candidates, each lucky at most now and then
  }
}

TEST(ChooseFastest, KeepsTheDefaultIfTheGainIsBelowTheNoise) {
  int changed = 0;
  for (unsigned seed = 0; seed < 200; ++seed)
    changed += choose_fastest(measured({1, 0.99}, 15, 0.1, seed)) != 0;
  EXPECT_LE(changed, 30);
  EXPECT_EQ(choose_fastest({RoundTimes(20, 1.0), RoundTimes(20, 0.995)}), 0);  // hardly a gain
}

TEST(ChooseFastest, DecidesNothingOnFewRoundsOrNone) {
  EXPECT_EQ(choose_fastest({}), 0);
  EXPECT_EQ(choose_fastest({{}, {}}), 0);
  EXPECT_EQ(choose_fastest({{1, 1, 1, 1}, {0.5, 0.5, 0.5, 0.5}}), 0);
  EXPECT_EQ(choose_fastest({{1, 1, 1, 1, 1}, {0.5, 0.5, 0.5, 0.5, 0.5}}), 1);
}

TEST(Speedup, IsTheMedianOfTheRoundsRatios) {
  EXPECT_DOUBLE_EQ(speedup({2, 4, 6}, {1, 4, 2}), 2);
  EXPECT_DOUBLE_EQ(speedup({2, 4}, {1, 1}), 3);
  EXPECT_DOUBLE_EQ(speedup({}, {}), 1);
}

}  // namespace
}  // namespace quern
