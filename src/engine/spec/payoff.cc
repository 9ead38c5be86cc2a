#include "engine/spec/payoff.h"

#include <algorithm>

namespace quern {

Payoff::Offer Payoff::best(double cost, int available) const {
  Offer best;
  double tokens = 1, power = 1;
  for (int k = 1; k <= std::min(max_drafts_, available); ++k) {
    power *= p_;
    tokens += power;
    const double rate = tokens / (1 + k * cost);
    if (rate > best.rate) best = {k, rate};
  }
  return best;
}

Payoff::Offer Payoff::offer(double cost, int available) {
  const int most = std::min(max_drafts_, available);
  const Offer pays = best(cost, available);
  if (pays.n > 0 || most == 0) return pays;
  if (++n_skipped_ < retry_after_) return {};
  n_skipped_ = 0;
  retry_after_ = std::min(2 * retry_after_, kRetryAtLast);
  return {std::min(most, 2), std::numeric_limits<double>::infinity()};
}

bool Payoff::wants(double cost, int available) {
  if (best(cost, available).n > 0) return true;
  n_skipped_ = std::min(n_skipped_ + 1, retry_after_ - 1);
  return n_skipped_ == retry_after_ - 1;  // the next offer is a trial
}

void Payoff::note(int n_checked, int n_true) {
  constexpr double kNew = 0.1;
  if (n_true == n_checked) retry_after_ = kRetryAfter;
  for (int i = 0; i < std::min(n_true + 1, n_checked); ++i)  // none after a rejected one was tried
    p_ += kNew * ((i < n_true ? 1.0 : 0.0) - p_);
}

}  // namespace quern
