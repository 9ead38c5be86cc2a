#include "engine/spec/payoff.h"

#include <algorithm>

namespace quern {

int Payoff::rows(double row_cost, int available) {
  const int most = std::min(most_, available);
  double best = 1, tokens = 1, power = 1;
  int best_k = 0;
  for (int k = 1; k <= most; ++k) {
    power *= p_;
    tokens += power;
    const double rate = tokens / (1 + k * row_cost);
    if (rate > best) best = rate, best_k = k;
  }
  if (best_k > 0 || most == 0) return best_k;
  if (++n_skipped_ < kRetryAfter) return 0;
  n_skipped_ = 0;
  return std::min(most, 2);
}

void Payoff::note(int n_checked, int n_true) {
  constexpr double kNew = 0.1;
  for (int i = 0; i < std::min(n_true + 1, n_checked); ++i)  // none behind a wrong one was tried
    p_ += kNew * ((i < n_true ? 1.0 : 0.0) - p_);
}

}  // namespace quern
