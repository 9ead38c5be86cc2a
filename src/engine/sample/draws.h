// The last step: draws one token from the candidates that the chain left. All but the plain draw
// learn from their choices.
#pragma once
#include <vector>

#include "engine/sample/choice.h"
#include "quern/sampling.h"

namespace quern {

// The state of a sampler; equal states and inputs give equal tokens.
struct SamplerState {
  double mu = 0;            // mirostat: most surprise allowed, bits
  double weighted_sum = 0;  // adaptive: of the probabilities of what was chosen
  double total_weight = 0;
  friend bool operator==(const SamplerState&, const SamplerState&) = default;
};

SamplerState first_state(const SamplingOptions& options);

struct Drawn {
  Candidate token;
  SamplerState next;
};

// Chooses by u, uniform in [0, 1). The choice is not empty and its top finite; afterwards it is the
// distribution that was drawn from. scratch: memory.
using Draw = Drawn (*)(const SamplingOptions&, const SamplerState&, Choice&, size_t n_vocab,
                       double u, std::vector<float>& scratch);

Draw draw_of(const SamplingOptions& options);  // by mirostat and adaptive_target

}  // namespace quern
