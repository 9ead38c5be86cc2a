// Whether sampling options can be: every number in its range, every list bounded, every id a token.
#pragma once
#include "base/result.h"
#include "quern/sampling.h"

namespace quern {

constexpr size_t kMostListedTokens = 16384;  // logit_bias, banned, allowed; each
constexpr size_t kMostBreakers = 32, kMostBreakerBytes = 64;
constexpr int kMostProbs = 128;

// Errors: invalid_argument, naming the field and its range; NaN and infinity are outside all.
Result<> check_options(const SamplingOptions& options);
// The same, and that ids are of a vocabulary of this size.
Result<> check_options(const SamplingOptions& options, int n_vocab);

}  // namespace quern
