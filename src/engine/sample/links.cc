#include "engine/sample/links.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "engine/sample/passes.h"
#include "options/sampler_names.h"

namespace quern {
namespace {

std::span<const int32_t> last_of(std::span<const int32_t> history, int window) {
  const size_t n = window < 0 ? history.size() : std::min<size_t>(window, history.size());
  return history.last(n);
}

// logit <- edit(logit, counts of its token) for tokens with counts.
template <class Edit>
void edit_counted(const TokenCounts& counts, Choice& choice, Edit edit) {
  if (!choice.gathered()) {
    const std::span<float> logits = choice.change_logits();
    for (const int32_t id : counts.touched()) logits[id] = edit(logits[id], counts[id]);
    return;
  }
  for (Candidate& c : choice.candidates()) {
    if (counts[c.id] > 0) c.logit = edit(c.logit, counts[c.id]);
  }
  choice.set_sorted(false);
}

void penalties(const LinkInput& in, Choice& choice) {
  const SamplingOptions& o = in.options;
  in.counts.reset(in.n_vocab);
  for (const int32_t id : last_of(in.history, o.penalty_window)) ++in.counts.raise(id);
  edit_counted(in.counts, choice, [&](float logit, int32_t n) {
    logit = logit > 0 ? logit / o.repeat_penalty : logit * o.repeat_penalty;
    return logit - (o.presence_penalty + static_cast<float>(n) * o.frequency_penalty);
  });
}

void dry(const LinkInput& in, Choice& choice) {
  constexpr double kMost = 1e9;  // more than any logit, and finite
  const SamplingOptions& o = in.options;
  const auto text = last_of(in.history, o.dry_window);
  const size_t longest = in.breakers.tokens_after_last(text);
  if (longest < static_cast<size_t>(o.dry_allowed_length)) return;
  in.counts.reset(in.n_vocab);
  find_repetitions(text, o.dry_allowed_length, longest, in.dry, in.counts);
  edit_counted(in.counts, choice, [&](float logit, int32_t length_and_1) {
    const int over = length_and_1 - 1 - o.dry_allowed_length;
    const double penalty = o.dry_multiplier * std::pow(static_cast<double>(o.dry_base), over);
    return logit - static_cast<float>(std::min(penalty, kMost));
  });
}

// How many a filter leaves at least: one, or more where min_keep says so and there are.
size_t fewest(const LinkInput& in, size_t n) {
  return std::clamp<size_t>(in.options.min_keep, 1, n);
}

// Leaves those with a logit of at least `floor`.
void keep_from(const LinkInput& in, Choice& choice, float floor) {
  if (!choice.gathered() && in.options.min_keep <= 1) return choice.gather_from(floor);
  choice.gather_all();
  std::vector<Candidate>& c = choice.candidates();
  const auto n = static_cast<size_t>(
      std::count_if(c.begin(), c.end(), [&](const Candidate& x) { return x.logit >= floor; }));
  if (const size_t least = fewest(in, c.size()); n < least) {
    choice.sort(least);
    c.resize(least);
    return choice.set_sorted(true);
  }
  std::erase_if(c, [&](const Candidate& x) { return x.logit < floor; });
}

void top_n_sigma(const LinkInput& in, Choice& choice) {
  choice.gather_all();
  const std::vector<Candidate>& c = choice.candidates();
  const auto n = static_cast<double>(c.size());
  double sum = 0, squares = 0;
  for (const Candidate& x : c) sum += x.logit;
  const double mean = sum / n;
  for (const Candidate& x : c) squares += (x.logit - mean) * (x.logit - mean);
  const double floor = choice.top() - in.options.top_n_sigma * std::sqrt(squares / n);
  keep_from(in, choice, static_cast<float>(floor));
}

void top_k(const LinkInput& in, Choice& choice) {
  const size_t k = in.options.top_k;
  if (k >= in.n_vocab) return;
  if (!choice.gathered()) return choice.gather_best(k);
  choice.sort(k);
  if (k >= choice.candidates().size()) return;
  choice.candidates().resize(k);
  choice.set_sorted(true);
}

// Leaves the fewest candidates, by `first_before`, that hold a weight of at least `wanted`, and no
// fewer than `least`. Sorts no more than is needed.
template <class Before>
void keep_share(std::vector<Candidate>& c, size_t n_sorted, float top, double wanted, size_t least,
                Before first_before) {
  double sum = 0;
  size_t n = 0;
  do {
    if (n == n_sorted) {
      n_sorted = std::min(c.size(), std::max<size_t>(64, 4 * n_sorted));
      const auto last = c.begin() + static_cast<std::ptrdiff_t>(n_sorted);
      if (last != c.end()) std::nth_element(c.begin() + n, last, c.end(), first_before);
      std::sort(c.begin() + n, last, first_before);
    }
    sum += exp_weight(c[n++].logit - top);
  } while (n < c.size() && (sum < wanted || n < least));
  c.resize(n);
}

// Those of about the surprise that is to be expected (Meister et al. 2022), by their share.
// -log p = log(total) + top - logit, so its distance from its mean is that of the logit from its.
void typical_p(const LinkInput& in, Choice& choice) {
  choice.gather_all();
  std::vector<Candidate>& c = choice.candidates();
  const float top = choice.top();
  double total = 0, moment = 0;
  for (const Candidate& x : c) {
    const double weight = exp_weight(x.logit - top);
    total += weight;
    if (weight > 0) moment += weight * x.logit;
  }
  const double mean = moment / total;
  const auto nearer = [&](const Candidate& a, const Candidate& b) {
    const double da = std::abs(a.logit - mean), db = std::abs(b.logit - mean);
    return da != db ? da < db : before(a, b);
  };
  keep_share(c, 0, top, in.options.typical_p * total, fewest(in, c.size()), nearer);
  choice.set_sorted(false);
}

// Candidates enough for a share of top_p, without those far below where that is possible: a pass
// over the vocabulary is cheaper than many candidates.
void gather_share(Choice& choice, float top, double wanted, size_t least) {
  constexpr double kRounding = 1 + 1e-9;  // of sums in another order
  for (const float depth : {2.f, 4.f, 8.f, 16.f}) {
    choice.gather_from(top - depth);
    if (choice.candidates().size() >= least && choice.total(top) >= wanted * kRounding) return;
  }
  choice.gather_from(std::numeric_limits<float>::lowest());
}

// The fewest candidates, most likely first, that hold a share of at least top_p.
void top_p(const LinkInput& in, Choice& choice) {
  const float top = choice.top();
  const double wanted = in.options.top_p * choice.total(top);
  if (!choice.gathered()) gather_share(choice, top, wanted, fewest(in, in.n_vocab));
  std::vector<Candidate>& c = choice.candidates();
  keep_share(c, choice.sorted() ? c.size() : 0, top, wanted, fewest(in, c.size()), before);
  choice.set_sorted(true);
}

// Those at least min_p times as likely as the most likely one.
void min_p(const LinkInput& in, Choice& choice) {
  keep_from(in, choice, choice.top() + std::log(in.options.min_p));
}

// "Exclude top choices": with a probability, all tokens above the threshold but the least likely.
void xtc(const LinkInput& in, Choice& choice) {
  if (in.u >= in.options.xtc_probability) return;
  choice.gather_all();
  std::vector<Candidate>& c = choice.candidates();
  const float top = choice.top();
  const double least_weight = in.options.xtc_threshold * choice.total(top);
  const auto above = [&](const Candidate& x) { return exp_weight(x.logit - top) >= least_weight; };
  Candidate last{-1, top};
  size_t n_above = 0;
  for (const Candidate& x : c) {
    if (!above(x)) continue;
    if (n_above++ == 0 || before(last, x)) last = x;
  }
  if (n_above < 2 || c.size() - (n_above - 1) < fewest(in, c.size())) return;
  std::erase_if(c, [&](const Candidate& x) { return above(x) && x.id != last.id; });
}

// The temperature for what is left: by how much of the most entropy that many tokens can have it
// has.
float dynamic_temperature(const SamplingOptions& o, Choice& choice) {
  choice.gather_all();
  const float lowest = std::max(0.f, o.temperature - o.dynatemp_range);
  const float highest = o.temperature + o.dynatemp_range;
  const auto n = static_cast<double>(choice.candidates().size());
  if (n <= 1) return highest;  // one token: no temperature changes it
  const float top = choice.top();
  const double total = choice.total(top);
  double entropy = 0;
  for (const Candidate& c : choice.candidates()) {
    const double p = exp_weight(c.logit - top) / total;
    if (p > 0) entropy -= p * std::log(p);
  }
  const double share = std::clamp(entropy / std::log(n), 0.0, 1.0);
  return static_cast<float>(lowest + (highest - lowest) * std::pow(share, o.dynatemp_exponent));
}

void temperature(const LinkInput& in, Choice& choice) {
  const SamplingOptions& o = in.options;
  const float t = o.dynatemp_range > 0 ? dynamic_temperature(o, choice) : o.temperature;
  const float top = choice.top();  // taken off first: nothing overflows at low temperatures
  if (!choice.gathered()) return scale(choice.change_logits(), top, t);
  for (Candidate& c : choice.candidates())
    c.logit = t > 0 ? (c.logit - top) / t : c.logit < top ? -1e9f : 0;
}

constexpr Link kLinks[] = {
    {"penalties", true,
     [](const SamplingOptions& o) {
       return o.penalty_window != 0 &&
              (o.repeat_penalty != 1 || o.presence_penalty != 0 || o.frequency_penalty != 0);
     },
     penalties},
    {"dry", true,
     [](const SamplingOptions& o) { return o.dry_multiplier > 0 && o.dry_window != 0; }, dry},
    {"top_n_sigma", false, [](const SamplingOptions& o) { return o.top_n_sigma > 0; }, top_n_sigma},
    {"top_k", false, [](const SamplingOptions& o) { return o.top_k > 0; }, top_k},
    {"typ_p", false, [](const SamplingOptions& o) { return o.typical_p < 1; }, typical_p},
    {"top_p", false, [](const SamplingOptions& o) { return o.top_p < 1; }, top_p},
    {"min_p", false, [](const SamplingOptions& o) { return o.min_p > 0; }, min_p},
    {"xtc", false,
     [](const SamplingOptions& o) { return o.xtc_probability > 0 && o.xtc_threshold <= 0.5f; },
     xtc},
    {"temperature", false,
     [](const SamplingOptions& o) { return o.temperature != 1 || o.dynatemp_range > 0; },
     temperature},
};

// One for each sampler that has a name, in their order.
static_assert(std::ranges::equal(kLinks, options::kSamplerNames, {}, &Link::name,
                                 [](const options::KnownName& known) {
                                   return std::string_view(known.name);
                                 }));

}  // namespace

std::span<const Link> links() { return kLinks; }

const Link* find_link(std::string_view name) {
  const options::KnownName* known = options::find_name(options::kSamplerNames, name);
  return known ? &kLinks[known - options::kSamplerNames] : nullptr;
}

std::vector<const Link*> chain(const SamplingOptions& options) {
  std::vector<const Link*> wanted;
  const auto add = [&](const Link& link) {
    if (link.wanted(options)) wanted.push_back(&link);
  };
  if (options.samplers.empty()) {
    for (const Link& link : kLinks) add(link);
  }
  for (const std::string& name : options.samplers) add(*find_link(name));
  return wanted;
}

}  // namespace quern
