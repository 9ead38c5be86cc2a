#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// What the chain works on. candidates hold what is still possible: sorted by `before` once a filter
// needed it, until then by id.
struct Choice {
  std::span<float> logits;
  std::span<const int32_t> history;
  std::vector<Candidate>& candidates;
  std::vector<int32_t>& window;
  bool sorted = false;
};

bool before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The largest of a block, NaN skipped. Sixteen running maxima, so that the compiler may use vectors
// (it may not reorder one).
float block_max(std::span<const float> x) {
  constexpr size_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -kInf);
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  for (; i < x.size(); ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return *std::max_element(lanes, lanes + kLanes);
}

constexpr size_t kBlock = 256;

// Calls visit(first, block) for blocks of `logits` in order, skipping those without an element
// above threshold(): nearly all of them once the threshold is that of the best few.
template <class Threshold, class Visit>
void for_blocks_above(std::span<const float> logits, Threshold threshold, Visit visit) {
  for (size_t first = 0; first < logits.size(); first += kBlock) {
    const auto block = logits.subspan(first, std::min(kBlock, logits.size() - first));
    if (block_max(block) > threshold()) visit(first, block);
  }
}

Candidate largest(std::span<const float> logits) {
  Candidate best{-1, -kInf};
  for_blocks_above(
      logits, [&] { return best.logit; },
      [&](size_t first, std::span<const float> block) {
        best.logit = block_max(block);
        const auto at = std::find(block.begin(), block.end(), best.logit);
        best.id = static_cast<int32_t>(first + (at - block.begin()));
      });
  return best;
}

void gather_all(Choice& choice) {
  for (size_t i = 0; i < choice.logits.size(); ++i) {
    if (choice.logits[i] > -kInf)  // NaN is not
      choice.candidates.push_back({static_cast<int32_t>(i), choice.logits[i]});
  }
}

// The first k in the order of `before`, by one pass that collects what beats the k-th best so far.
void gather_best(Choice& choice, size_t k) {
  std::vector<Candidate>& best = choice.candidates;
  float threshold = -kInf;
  const auto keep_k = [&] {
    if (best.size() <= k) return;
    std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), before);
    best.resize(k);
    threshold = best.back().logit;  // later ones of equal logit have larger ids: they lose
  };
  for_blocks_above(
      choice.logits, [&] { return threshold; },
      [&](size_t first, std::span<const float> block) {
        for (size_t i = 0; i < block.size(); ++i) {
          if (block[i] > threshold) best.push_back({static_cast<int32_t>(first + i), block[i]});
        }
        if (best.size() >= 2 * k) keep_k();
      });
  keep_k();
  std::sort(best.begin(), best.end(), before);
  choice.sorted = true;
}

float highest(const Choice& choice) {
  if (choice.sorted) return choice.candidates.front().logit;
  return std::min_element(choice.candidates.begin(), choice.candidates.end(), before)->logit;
}

double total_weight(const Choice& choice, float highest_logit) {
  double total = 0;
  for (const Candidate& c : choice.candidates) total += std::exp(c.logit - highest_logit);
  return total;
}

// ---- the links

void penalties(const SamplingOptions& o, Choice& choice) {
  const size_t n = o.penalty_window < 0 ? choice.history.size()
                                        : std::min<size_t>(o.penalty_window, choice.history.size());
  std::vector<int32_t>& window = choice.window;
  window.assign(choice.history.end() - n, choice.history.end());
  std::sort(window.begin(), window.end());
  for (auto at = window.begin(); at != window.end();) {
    const auto end = std::upper_bound(at, window.end(), *at);
    float& logit = choice.logits[*at];
    logit = logit > 0 ? logit / o.repeat_penalty : logit * o.repeat_penalty;
    logit -= o.presence_penalty + static_cast<float>(end - at) * o.frequency_penalty;
    at = end;
  }
}

void top_k(const SamplingOptions& o, Choice& choice) {
  const size_t k = o.top_k;
  k > 0 && k < choice.logits.size() ? gather_best(choice, k) : gather_all(choice);
}

// The fewest candidates, most likely first, that hold a share of at least top_p.
void top_p(const SamplingOptions& o, Choice& choice) {
  std::vector<Candidate>& c = choice.candidates;
  const float top = highest(choice);
  const double wanted = o.top_p * total_weight(choice, top);
  size_t n_sorted = choice.sorted ? c.size() : 0;
  double sum = 0;
  size_t n = 0;
  do {
    if (n == n_sorted) {  // sort no more than is needed
      n_sorted = std::min(c.size(), std::max<size_t>(64, 4 * n_sorted));
      const auto last = c.begin() + static_cast<std::ptrdiff_t>(n_sorted);
      std::nth_element(c.begin() + n, last, c.end(), before);
      std::sort(c.begin() + n, last, before);
    }
    sum += std::exp(c[n++].logit - top);
  } while (n < c.size() && sum < wanted);
  c.resize(n);
  choice.sorted = true;
}

// Those at least min_p times as likely as the most likely one.
void min_p(const SamplingOptions& o, Choice& choice) {
  const float floor = highest(choice) + std::log(o.min_p);
  std::erase_if(choice.candidates, [&](const Candidate& c) { return c.logit < floor; });
}

void temperature(const SamplingOptions& o, Choice& choice) {
  const float top = highest(choice);  // taken off first: nothing overflows at low temperatures
  for (Candidate& c : choice.candidates) c.logit = (c.logit - top) / o.temperature;
}

struct Link {
  bool (*wanted)(const SamplingOptions&);
  void (*apply)(const SamplingOptions&, Choice&);
};

constexpr Link kPenalties = {
    [](const SamplingOptions& o) {
      return o.penalty_window != 0 &&
             (o.repeat_penalty != 1 || o.presence_penalty != 0 || o.frequency_penalty != 0);
    },
    penalties};

constexpr Link kFilters[] = {
    {[](const SamplingOptions&) { return true; }, top_k},  // fills the candidates
    {[](const SamplingOptions& o) { return o.top_p < 1; }, top_p},
    {[](const SamplingOptions& o) { return o.min_p > 0; }, min_p},
    {[](const SamplingOptions& o) { return o.temperature != 1; }, temperature},
};

int32_t draw(const Choice& choice, double u) {
  const float top = highest(choice);
  double left = u * total_weight(choice, top);
  for (const Candidate& c : choice.candidates) {
    left -= std::exp(c.logit - top);
    if (left < 0) return c.id;
  }
  return choice.candidates.back().id;  // rounding ate the last bit
}

Error no_logits() {
  return {Code::corrupt, "the model computed no finite logits", "",
          "its weights may be damaged: fetch the file again"};
}

uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

struct Range {
  const char* field;
  double (*value)(const SamplingOptions&);
  double lowest, highest;
};

constexpr double kIntMax = std::numeric_limits<int>::max();

constexpr Range kRanges[] = {
    {"temperature", [](const SamplingOptions& o) -> double { return o.temperature; }, 0, 100},
    {"top_k", [](const SamplingOptions& o) -> double { return o.top_k; }, 0, kIntMax},
    {"top_p", [](const SamplingOptions& o) -> double { return o.top_p; }, 0, 1},
    {"min_p", [](const SamplingOptions& o) -> double { return o.min_p; }, 0, 1},
    {"repeat_penalty", [](const SamplingOptions& o) -> double { return o.repeat_penalty; }, 0.01,
     100},
    {"presence_penalty", [](const SamplingOptions& o) -> double { return o.presence_penalty; },
     -100, 100},
    {"frequency_penalty", [](const SamplingOptions& o) -> double { return o.frequency_penalty; },
     -100, 100},
    {"penalty_window", [](const SamplingOptions& o) -> double { return o.penalty_window; }, -1,
     kIntMax},
};

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

}  // namespace

Result<> check_options(const SamplingOptions& options) {
  for (const Range& range : kRanges) {
    const double value = range.value(options);
    if (value >= static_cast<float>(range.lowest) && value <= range.highest)
      continue;  // NaN is not
    std::string allowed = "at least " + number(range.lowest);
    if (range.highest < kIntMax) allowed += " and at most " + number(range.highest);
    return Error{Code::invalid_argument,
                 std::string(range.field) + " is " + number(value) + ", must be " + allowed, "",
                 ""};
  }
  return Ok{};
}

Result<int32_t> sample(const SamplingOptions& options, std::span<float> logits,
                       std::span<const int32_t> history, uint64_t n_drawn, SampleScratch& scratch) {
  scratch.candidates.clear();
  Choice choice{logits, history, scratch.candidates, scratch.window};
  if (kPenalties.wanted(options)) kPenalties.apply(options, choice);
  if (options.temperature == 0) {
    const Candidate best = largest(logits);
    if (!std::isfinite(best.logit)) return no_logits();
    return best.id;
  }
  for (const Link& link : kFilters) {
    if (!link.wanted(options)) continue;
    link.apply(options, choice);
    if (choice.candidates.empty() || !std::isfinite(highest(choice))) return no_logits();
  }
  return draw(choice, uniform(options.seed, n_drawn));
}

double uniform(uint64_t seed, uint64_t n) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t bits = mixed(mixed(seed) + (n + 1) * kGolden);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace quern
