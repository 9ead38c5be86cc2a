// Which tokens are allowed at all, whatever the model computed: biases, bans, no end before
// min_tokens.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "quern/sampling.h"

namespace quern {

// Immutable. The options have passed check_options with the same n_vocab.
class TokenRules {
 public:
  TokenRules(const SamplingOptions& options, std::span<const int32_t> end_ids, int n_vocab);

  // Adds biases and sets tokens that are not allowed to -infinity. n_generated: tokens so far.
  // mask: bit i % 32 of word i / 32 says whether token i is allowed; empty: all are.
  void apply(std::span<float> logits, int64_t n_generated, std::span<const uint32_t> mask) const;

  // Whether apply may leave nothing of a model's finite logits.
  bool any(std::span<const uint32_t> mask) const;

 private:
  // Whether the mask allows nothing but end tokens: then the constraint is fulfilled, and an end
  // token is sampled.
  bool only_ends_left(std::span<const uint32_t> mask) const;

  std::vector<LogitBias> biases_;  // finite
  std::vector<uint32_t> allowed_;  // as a mask; empty: all
  std::vector<uint32_t> ends_;     // as a mask
  std::vector<int32_t> end_ids_;
  int min_tokens_;
};

}  // namespace quern
