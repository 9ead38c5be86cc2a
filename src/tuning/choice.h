// Whether one candidate is faster than another, from alternating measurements on a shared machine.
#pragma once
#include <vector>

namespace quern {

// Seconds of each round, in the order of the rounds: all candidates were measured once a round,
// close together, so that what disturbs a round disturbs its ratios little.
using RoundTimes = std::vector<double>;

// Median over the rounds of base / candidate: how much faster the candidate is (1: as fast).
double speedup(const RoundTimes& base, const RoundTimes& candidate);

// Which of `times` to use. times[0] is the default and stays unless another is faster by more than
// the noise: its median ratio must exceed 1 by a margin (1 %, or twice the standard error of the
// median as the spread of the ratios gives it), and it must be faster in two of three rounds. The
// fastest of those counts. Fewer than 5 rounds decide nothing.
int choose_fastest(const std::vector<RoundTimes>& times);

}  // namespace quern
