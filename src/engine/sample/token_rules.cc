#include "engine/sample/token_rules.h"

#include <cmath>
#include <limits>

#include "engine/sample/passes.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

void set(std::vector<uint32_t>& mask, int32_t id, bool value) {
  const uint32_t bit = 1u << (id % 32);
  value ? mask[id / 32] |= bit : mask[id / 32] &= ~bit;
}

}  // namespace

TokenRules::TokenRules(const SamplingOptions& o, std::span<const int32_t> end_ids, int n_vocab)
    : min_tokens_(o.min_tokens) {
  const size_t n_words = (static_cast<size_t>(n_vocab) + 31) / 32;
  std::vector<int32_t> banned = o.banned;
  for (const LogitBias& bias : o.logit_bias) {
    if (std::isinf(bias.bias))
      banned.push_back(bias.id);
    else
      biases_.push_back(bias);
  }
  if (!o.allowed.empty() || !banned.empty()) {
    allowed_.assign(n_words, o.allowed.empty() ? ~0u : 0u);
    for (const int32_t id : o.allowed) set(allowed_, id, true);
    for (const int32_t id : banned) set(allowed_, id, false);
  }
  ends_.assign(n_words, 0);
  for (const int32_t id : end_ids) {
    if (id < 0 || id >= n_vocab) continue;  // a file may name one that its vocabulary lacks
    set(ends_, id, true);
    end_ids_.push_back(id);
  }
}

bool TokenRules::only_ends_left(std::span<const uint32_t> mask) const {
  for (size_t i = 0; i < ends_.size(); ++i) {
    const uint32_t bits = mask[i] & (allowed_.empty() ? ~0u : allowed_[i]);
    if ((bits & ~ends_[i]) != 0) return false;
  }
  return true;
}

void TokenRules::apply(std::span<float> logits, int64_t n_generated,
                       std::span<const uint32_t> mask) const {
  for (const LogitBias& bias : biases_) logits[bias.id] += bias.bias;
  forbid(logits, allowed_, mask);
  if (n_generated >= min_tokens_ || (!mask.empty() && only_ends_left(mask))) return;
  for (const int32_t id : end_ids_) logits[id] = -kInf;
}

bool TokenRules::any(std::span<const uint32_t> mask) const {
  return !allowed_.empty() || !mask.empty() || min_tokens_ > 0;
}

}  // namespace quern
