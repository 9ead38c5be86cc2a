// From logits to a token: rules, a chain of filters, one draw (quern/sampling.h has the order).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/sample/choice.h"
#include "engine/sample/draws.h"
#include "engine/sample/dry.h"
#include "engine/sample/links.h"
#include "engine/sample/sample_vocabulary.h"
#include "engine/sample/token_counts.h"
#include "engine/sample/token_rules.h"
#include "quern/sampling.h"

namespace quern {

// Memory kept between calls, so that a token costs no allocation (log-probabilities aside). One per
// thread, for all samplers of one vocabulary.
struct SampleScratch {
  ChoiceScratch choice, of_model;
  std::vector<float> model_logits, probabilities;
  TokenCounts counts;
  DryScratch dry;
};

struct Sampled {
  int32_t id = -1;
  // Both by SamplingOptions::n_probs and post_sampling_probs; 0 and empty if not requested.
  float logprob = 0;
  std::vector<TokenProb> top;  // the likeliest, best first; the chosen one need not be among them
  SamplerState next;           // what accept makes of the sampler
};

// Of one sequence. sample is pure: the same state, logits, history and mask give the same token,
// whether it is asked once or, by speculation or after preemption, again. The n-th generated token
// uses the n-th random number of the seed, n = history.size() - n_prompt, so tokens that were
// forced, without asking the sampler, take their number with them. Copies are independent.
class Sampler {
 public:
  // options have passed check_options with this n_vocab. end_ids: the tokens that min_tokens bans.
  Sampler(SamplingOptions options, SampleTokens tokens, std::span<const int32_t> end_ids,
          int n_vocab);

  // logits: (n_vocab), changed. history: n_prompt tokens of the prompt, then what was generated;
  // penalties look back on all of it. mask: bit i % 32 of word i / 32 says whether token i is
  // allowed ((n_vocab + 31) / 32 words or more); empty: all are. Errors: corrupt (no finite logit:
  // damaged weights), invalid_argument (no token is allowed).
  Result<Sampled> sample(std::span<float> logits, std::span<const int32_t> history,
                         int64_t n_prompt, std::span<const uint32_t> mask,
                         SampleScratch& scratch) const;

  // The token was appended to the sequence. Called once for each sampled token that is kept; not
  // for forced ones.
  void accept(const Sampled& sampled) { state_ = sampled.next; }

  const SamplingOptions& options() const { return options_; }
  // The state that a saved session must keep beside its tokens.
  const SamplerState& state() const { return state_; }
  void restore(const SamplerState& state) { state_ = state; }

 private:
  Candidate choose(const LinkInput& in, Choice& choice, double u, SampleScratch& scratch,
                   SamplerState& next) const;

  SamplingOptions options_;
  SampleTokens tokens_;
  TokenRules rules_;
  int n_vocab_;
  std::vector<const Link*> chain_;
  Draw draw_;
  SamplerState state_;
};

}  // namespace quern
