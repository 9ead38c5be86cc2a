#include "tuning/choice.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace quern {
namespace {

constexpr double kMinGain = 0.01;
constexpr double kFasterShare = 2.0 / 3;  // of rounds in which the candidate must be faster
constexpr size_t kMinRounds = 5;

double median(std::vector<double> values) {
  if (values.empty()) return 1;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::vector<double> ratios_of(const RoundTimes& base, const RoundTimes& candidate) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(base.size(), candidate.size()); ++i)
    if (base[i] > 0 && candidate[i] > 0) ratios.push_back(base[i] / candidate[i]);
  return ratios;
}

// The spread of what is normal, outliers left aside: 1.48 times the median distance from the median
// is the standard deviation of normal numbers; their median's error is 1.25 times that over root n.
double error_of_median(const std::vector<double>& values, double middle) {
  std::vector<double> distances;
  for (const double value : values) distances.push_back(std::abs(value - middle));
  return 1.25 * 1.48 * median(distances) / std::sqrt(static_cast<double>(values.size()));
}

}  // namespace

double speedup(const RoundTimes& base, const RoundTimes& candidate) {
  return median(ratios_of(base, candidate));
}

int choose_fastest(const std::vector<RoundTimes>& times) {
  int best = 0;
  double most = 1;
  for (size_t i = 1; i < times.size(); ++i) {
    const std::vector<double> ratios = ratios_of(times[0], times[i]);
    if (ratios.size() < kMinRounds) continue;
    const double ratio = median(ratios);
    const double margin = std::max(kMinGain, 2 * error_of_median(ratios, ratio));
    const auto faster = std::ranges::count_if(ratios, [](double r) { return r > 1; });
    const bool often =
        static_cast<double>(faster) >= kFasterShare * static_cast<double>(ratios.size());
    if (often && ratio > 1 + margin && ratio > most) best = static_cast<int>(i), most = ratio;
  }
  return best;
}

}  // namespace quern
