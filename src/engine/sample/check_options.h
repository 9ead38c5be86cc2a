// Whether sampling options can be: each by its row in src/options, together, and for a vocabulary.
#pragma once
#include "base/result.h"
#include "quern/sampling.h"

namespace quern {

// Errors: invalid_argument, naming the member and its range; NaN and infinity are outside all.
Result<> check_options(const SamplingOptions& options);
// The same, and that ids are of a vocabulary of this size.
Result<> check_options(const SamplingOptions& options, int n_vocab);

}  // namespace quern
