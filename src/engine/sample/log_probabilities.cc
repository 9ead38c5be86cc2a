#include "engine/sample/log_probabilities.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sample/passes.h"

namespace quern {
namespace {

std::vector<TokenProb> first_of(std::span<const Candidate> sorted, int n, double log_total) {
  std::vector<TokenProb> probs;
  for (const Candidate& c : sorted.first(std::min<size_t>(n, sorted.size())))
    probs.push_back({c.id, static_cast<float>(c.logit - log_total)});
  return probs;
}

double log_total(Choice& choice) {
  const float top = choice.top();
  return top + std::log(choice.total(top));
}

}  // namespace

ModelDistribution::ModelDistribution(std::span<const float> logits, ChoiceScratch& scratch)
    : logits_(logits), scratch_(scratch) {
  find_block_tops(logits, scratch.block_tops);
  const float top = largest(scratch.block_tops);
  log_total_ = top + std::log(total_weight(logits, top, scratch.block_totals));
}

float ModelDistribution::log_probability(int32_t id) const {
  const float logit = logits_[id];
  if (std::isnan(logit)) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(logit - log_total_);
}

std::vector<TokenProb> ModelDistribution::likeliest(int n) const {
  best_of(logits_, scratch_.block_tops, n, scratch_.some_tops, scratch_.candidates);
  return first_of(scratch_.candidates, n, log_total_);
}

float log_probability(Choice& choice, float logit) {
  return static_cast<float>(logit - log_total(choice));
}

std::vector<TokenProb> likeliest(Choice& choice, int n) {
  const double total = log_total(choice);
  choice.sort(n);
  return first_of(choice.candidates(), n, total);
}

}  // namespace quern
