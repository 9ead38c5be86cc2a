#include "engine/spec/payoff.h"

#include <algorithm>

namespace quern {

Payoff::Offer Payoff::offer(double cost, int available) {
  const int most = std::min(most_, available);
  Offer best;
  double tokens = 1, power = 1;
  for (int k = 1; k <= most; ++k) {
    power *= p_;
    tokens += power;
    const double rate = tokens / (1 + k * cost);
    if (rate > best.rate) best = {k, rate};
  }
  if (best.n > 0 || most == 0) return best;
  if (++n_skipped_ < retry_after_) return {};
  n_skipped_ = 0;
  retry_after_ = std::min(2 * retry_after_, kRetryAtLast);
  return {std::min(most, 2), std::numeric_limits<double>::infinity()};
}

void Payoff::note(int n_checked, int n_true) {
  constexpr double kNew = 0.1;
  if (n_true == n_checked) retry_after_ = kRetryAfter;
  for (int i = 0; i < std::min(n_true + 1, n_checked); ++i)  // none behind a wrong one was tried
    p_ += kNew * ((i < n_true ? 1.0 : 0.0) - p_);
}

}  // namespace quern
