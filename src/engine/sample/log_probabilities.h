// Natural logarithms of a distribution's probabilities.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/sample/choice.h"
#include "quern/sampling.h"

namespace quern {

// The softmax of a model's logits (n_vocab), NaN as -infinity. The top must be finite.
class ModelDistribution {
 public:
  // scratch: memory, in use as long as this.
  ModelDistribution(std::span<const float> logits, ChoiceScratch& scratch);
  float log_probability(int32_t id) const;  // -infinity where the logit is
  std::vector<TokenProb> likeliest(int n) const;

 private:
  std::span<const float> logits_;
  ChoiceScratch& scratch_;
  double log_total_;  // log of the sum of exp(logit)
};

// The same of what a chain left. Sorts the choice.
float log_probability(Choice& choice, float logit);
std::vector<TokenProb> likeliest(Choice& choice, int n);

}  // namespace quern
