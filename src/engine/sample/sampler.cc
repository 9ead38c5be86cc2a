#include "engine/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/check.h"
#include "engine/sample/log_probabilities.h"
#include "engine/sample/passes.h"
#include "engine/sample/random.h"

namespace quern {
namespace {

// Why no logit is finite: if an allowed token is NaN or Inf, it is the model's fault.
Error nothing_left(std::span<const float> logits, bool rules) {
  const bool forbidden =
      rules && std::all_of(logits.begin(), logits.end(), [](float x) { return x < 0; });
  if (forbidden) {
    return {Code::invalid_argument, "no token may come next", "",
            "logit_bias, banned, allowed, min_tokens and a constraint leave none together"};
  }
  return {Code::corrupt, "the model computed no finite logits", "",
          "its weights may be damaged: fetch the file again"};
}

// At temperature 0 only links that change logits have an effect; mirostat uses the temperature
// alone.
std::vector<const Link*> links_for(const SamplingOptions& options) {
  if (options.temperature > 0 && options.mirostat > 0) {
    const Link* temperature = find_link("temperature");
    if (temperature->wanted(options)) return {temperature};
    return {};
  }
  std::vector<const Link*> links = chain(options);
  if (options.temperature == 0)
    std::erase_if(links, [](const Link* link) { return !link->changes_logits; });
  return links;
}

}  // namespace

Sampler::Sampler(SamplingOptions options, SampleTokens tokens, std::span<const int32_t> end_ids,
                 int n_vocab)
    : options_(std::move(options)),
      tokens_(std::move(tokens)),
      rules_(options_, end_ids, n_vocab),
      n_vocab_(n_vocab),
      chain_(links_for(options_)),
      draw_(draw_of(options_)),
      state_(first_state(options_)) {
  if (!tokens_.breakers) tokens_.breakers = std::make_shared<const DryBreakers>();
}

Result<Sampled> Sampler::sample(std::span<float> logits, std::span<const int32_t> history,
                                int64_t n_prompt, std::span<const uint32_t> mask,
                                SampleScratch& scratch) const {
  CHECK(logits.size() == static_cast<size_t>(n_vocab_), "one logit for every token");
  const int64_t n_generated = static_cast<int64_t>(history.size()) - n_prompt;
  const bool of_model = options_.n_probs >= 0 && !options_.post_sampling_probs;
  if (of_model) scratch.model_logits.assign(logits.begin(), logits.end());
  rules_.apply(logits, n_generated, mask);
  Choice choice(logits, scratch.choice);
  if (!std::isfinite(choice.top())) return nothing_left(logits, rules_.any(mask));

  const LinkInput in{options_,
                     *tokens_.breakers,
                     history,
                     logits.size(),
                     uniform(second_seed(options_.seed), n_generated),
                     scratch.counts,
                     scratch.dry};
  Sampled sampled;
  const Candidate chosen =
      choose(in, choice, uniform(options_.seed, n_generated), scratch, sampled.next);
  sampled.id = chosen.id;
  if (of_model) {
    const ModelDistribution model(scratch.model_logits, scratch.of_model);
    sampled.logprob = model.log_probability(chosen.id);
    sampled.top = model.likeliest(options_.n_probs);
  } else if (options_.n_probs >= 0) {
    sampled.logprob = log_probability(choice, chosen.logit);
    sampled.top = likeliest(choice, options_.n_probs);
  }
  return sampled;
}

Candidate Sampler::choose(const LinkInput& in, Choice& choice, double u, SampleScratch& scratch,
                          SamplerState& next) const {
  for (const Link* link : chain_) link->apply(in, choice);
  if (options_.temperature == 0) {
    choice.gather_best(1);
    next = state_;
    return choice.candidates().front();
  }
  const Drawn drawn = draw_(options_, state_, choice, in.n_vocab, u, scratch.probabilities);
  next = drawn.next;
  return drawn.token;
}

}  // namespace quern
