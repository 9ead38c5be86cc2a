#include "cli/scoring.h"

#include <algorithm>
#include <cmath>

namespace quern::cli {

double negative_log_likelihood(std::span<const float> logits, int32_t target) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return std::log(sum) + top - static_cast<double>(logits[static_cast<size_t>(target)]);
}

int32_t most_likely(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void Score::add(std::span<const float> logits, int32_t target) {
  sum_ += negative_log_likelihood(logits, target);
  hits_ += most_likely(logits) == target;
  ++n_;
}

double Score::perplexity() const { return std::exp(nll()); }

}  // namespace quern::cli
