#include "engine/sample/draws.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/sample/passes.h"

namespace quern {
namespace {

Drawn plain(const SamplingOptions&, const SamplerState& state, Choice& choice, size_t, double u,
            std::vector<float>&) {
  return {choice.draw(u), state};
}

Drawn draw_and_learn(const SamplingOptions& o, const SamplerState& state, Choice& choice,
                     double u) {
  const Candidate token = choice.draw(u);
  const float top = choice.top();
  const double p = exp_weight(token.logit - top) / choice.total(top);
  SamplerState next = state;
  next.mu -= o.mirostat_eta * (-std::log2(p) - o.mirostat_tau);
  return {token, next};
}

// Mirostat (Basu et al. 2021, algorithm 1): the exponent of a Zipf law is estimated from the first
// hundred tokens; with it k follows from the surprise that is allowed.
Drawn mirostat1(const SamplingOptions& o, const SamplerState& state, Choice& choice, size_t n_vocab,
                double u, std::vector<float>&) {
  constexpr size_t kEstimated = 100;
  choice.sort(kEstimated);
  std::vector<Candidate>& c = choice.candidates();
  double products = 0, squares = 0;
  for (size_t i = 0; i + 1 < std::min(kEstimated, c.size()); ++i) {
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    products += t * (c[i].logit - c[i + 1].logit);
    squares += t * t;
  }
  const double exponent = squares > 0 ? products / squares : 1;
  const double epsilon = exponent - 1;
  const double wanted =
      std::pow(epsilon * std::exp2(state.mu) / (1 - std::pow(n_vocab, -epsilon)), 1 / exponent);
  // Where the estimate breaks down (an exponent of 0 or exactly 1) all tokens stay.
  if (std::isfinite(wanted) && wanted < static_cast<double>(c.size())) {
    const size_t k = std::max<size_t>(1, static_cast<size_t>(wanted));
    choice.sort(k);
    c.resize(k);
    choice.set_sorted(true);
  }
  return draw_and_learn(o, state, choice, u);
}

// Mirostat 2.0 (algorithm 2): leaves out what would surprise by more than mu bits.
Drawn mirostat2(const SamplingOptions& o, const SamplerState& state, Choice& choice, size_t,
                double u, std::vector<float>&) {
  choice.gather_all();
  std::vector<Candidate>& c = choice.candidates();
  const float top = choice.top();
  const double least = choice.total(top) * std::exp2(-state.mu);
  if (least > 1) {  // not even the most likely one
    choice.sort(1);
    c.resize(1);
    choice.set_sorted(true);
  } else {
    std::erase_if(c, [&](const Candidate& x) { return exp_weight(x.logit - top) < least; });
  }
  return draw_and_learn(o, state, choice, u);
}

// Adaptive-p (llama.cpp, 2026): logits become large near a probability that moves so that the
// running average of what was chosen comes to the target; quadratic near it, linear far away.
Drawn adaptive(const SamplingOptions& o, const SamplerState& state, Choice& choice, size_t,
               double u, std::vector<float>& probabilities) {
  constexpr double kPeak = 5, kSharpness = 10, kWidth = 0.3;
  choice.gather_all();
  std::vector<Candidate>& c = choice.candidates();
  const float top = choice.top();
  const double total = choice.total(top);
  const double wanted =
      std::clamp(2 * o.adaptive_target - state.weighted_sum / state.total_weight, 0.0, 1.0);
  probabilities.clear();
  for (Candidate& x : c) {
    const double p = exp_weight(x.logit - top) / total;
    const double distance = std::abs(p - wanted) / kWidth;
    probabilities.push_back(static_cast<float>(p));
    x.logit = static_cast<float>(kPeak - kSharpness * distance * distance / (1 + distance));
  }
  choice.set_sorted(false);
  const Candidate token = choice.draw(u);
  const auto at =
      std::find_if(c.begin(), c.end(), [&](const Candidate& x) { return x.id == token.id; });
  CHECK(at != c.end(), "what was drawn is a candidate");
  SamplerState next = state;
  next.weighted_sum = probabilities[at - c.begin()] + o.adaptive_decay * state.weighted_sum;
  next.total_weight = 1 + o.adaptive_decay * state.total_weight;
  return {token, next};
}

}  // namespace

SamplerState first_state(const SamplingOptions& o) {
  const double weight = 1 / (1 - static_cast<double>(o.adaptive_decay));
  // As if the target had been met for ever.
  return {.mu = 2.0 * o.mirostat_tau,
          .weighted_sum = o.adaptive_target * weight,
          .total_weight = weight};
}

Draw draw_of(const SamplingOptions& options) {
  constexpr Draw kByVersion[] = {plain, mirostat1, mirostat2};
  if (options.mirostat == 0 && options.adaptive_target >= 0) return adaptive;
  return kByVersion[options.mirostat];
}

}  // namespace quern
