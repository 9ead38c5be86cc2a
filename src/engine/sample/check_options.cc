#include "engine/sample/check_options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "engine/sample/links.h"

namespace quern {
namespace {

using Options = SamplingOptions;

struct Range {
  const char* field;
  double (*value)(const Options&);
  double lowest, highest;
};

constexpr double kIntMax = std::numeric_limits<int>::max();

constexpr Range kRanges[] = {
    {"temperature", [](const Options& o) -> double { return o.temperature; }, 0, 100},
    {"top_k", [](const Options& o) -> double { return o.top_k; }, 0, kIntMax},
    {"top_p", [](const Options& o) -> double { return o.top_p; }, 0, 1},
    {"min_p", [](const Options& o) -> double { return o.min_p; }, 0, 1},
    {"repeat_penalty", [](const Options& o) -> double { return o.repeat_penalty; }, 0.01, 100},
    {"presence_penalty", [](const Options& o) -> double { return o.presence_penalty; }, -100, 100},
    {"frequency_penalty", [](const Options& o) -> double { return o.frequency_penalty; }, -100,
     100},
    {"penalty_window", [](const Options& o) -> double { return o.penalty_window; }, -1, kIntMax},
    {"dynatemp_range", [](const Options& o) -> double { return o.dynatemp_range; }, 0, 100},
    {"dynatemp_exponent", [](const Options& o) -> double { return o.dynatemp_exponent; }, 0, 100},
    {"typical_p", [](const Options& o) -> double { return o.typical_p; }, 0, 1},
    {"top_n_sigma", [](const Options& o) -> double { return o.top_n_sigma; }, -1, 100},
    {"xtc_probability", [](const Options& o) -> double { return o.xtc_probability; }, 0, 1},
    {"xtc_threshold", [](const Options& o) -> double { return o.xtc_threshold; }, 0, 1},
    {"min_keep", [](const Options& o) -> double { return o.min_keep; }, 0, kIntMax},
    {"dry_multiplier", [](const Options& o) -> double { return o.dry_multiplier; }, 0, 100},
    {"dry_base", [](const Options& o) -> double { return o.dry_base; }, 1, 100},
    {"dry_allowed_length", [](const Options& o) -> double { return o.dry_allowed_length; }, 0,
     kIntMax},
    {"dry_window", [](const Options& o) -> double { return o.dry_window; }, -1, kIntMax},
    {"mirostat", [](const Options& o) -> double { return o.mirostat; }, 0, 2},
    {"mirostat_tau", [](const Options& o) -> double { return o.mirostat_tau; }, 0, 100},
    {"mirostat_eta", [](const Options& o) -> double { return o.mirostat_eta; }, 0, 1},
    {"adaptive_target", [](const Options& o) -> double { return o.adaptive_target; }, -1, 1},
    {"adaptive_decay", [](const Options& o) -> double { return o.adaptive_decay; }, 0, 0.99},
    {"min_tokens", [](const Options& o) -> double { return o.min_tokens; }, 0, kIntMax},
    {"n_probs", [](const Options& o) -> double { return o.n_probs; }, -1, kMostProbs},
};

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", x);
  return text;
}

Error refused(std::string what, std::string fix = "") {
  return {Code::invalid_argument, std::move(what), "", std::move(fix)};
}

Result<> check_ranges(const Options& options) {
  for (const Range& range : kRanges) {
    const double value = range.value(options);
    if (value >= static_cast<float>(range.lowest) && value <= static_cast<float>(range.highest))
      continue;  // NaN is not
    std::string allowed = "at least " + number(range.lowest);
    if (range.highest < kIntMax) allowed += " and at most " + number(range.highest);
    return refused(std::string(range.field) + " is " + number(value) + ", must be " + allowed);
  }
  return Ok{};
}

Result<> check_size(const char* field, size_t n, size_t most) {
  if (n <= most) return Ok{};
  return refused(std::string(field) + " has " + std::to_string(n) + " entries, at most " +
                 std::to_string(most));
}

Result<> check_breakers(const Options& options) {
  TRY_OK(check_size("dry_breakers", options.dry_breakers.size(), kMostBreakers));
  for (const std::string& breaker : options.dry_breakers) {
    if (!breaker.empty() && breaker.size() <= kMostBreakerBytes) continue;
    return refused("dry_breakers has one of " + std::to_string(breaker.size()) +
                   " bytes, must be 1 to " + std::to_string(kMostBreakerBytes));
  }
  return Ok{};
}

Result<> check_samplers(const Options& options) {
  std::set<const Link*> seen;
  for (const std::string& name : options.samplers) {
    const Link* link = find_link(name);
    if (!link) {
      std::string names;
      for (const Link& known : links())
        names += (names.empty() ? "" : ", ") + std::string(known.name);
      return refused("samplers has '" + name.substr(0, 40) + "', which is none",
                     "there are " + names);
    }
    if (!seen.insert(link).second)
      return refused(std::string("samplers has ") + link->name + " twice");
  }
  return Ok{};
}

Result<> check_biases(const Options& options) {
  constexpr float kMostBias = 1e9f;  // so that a logit stays finite
  for (const LogitBias& bias : options.logit_bias) {
    if (bias.bias == -std::numeric_limits<float>::infinity() || std::abs(bias.bias) <= kMostBias)
      continue;
    return refused("logit_bias of token " + std::to_string(bias.id) + " is " + number(bias.bias) +
                   ", must be -1e9 to 1e9, or -inf");
  }
  return Ok{};
}

Result<> check_ids(const char* field, std::vector<int32_t> ids, int n_vocab) {
  TRY_OK(check_size(field, ids.size(), kMostListedTokens));
  std::sort(ids.begin(), ids.end());
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string which = std::string(field) + " has token " + std::to_string(ids[i]);
    if (ids[i] < 0 || ids[i] >= n_vocab)
      return refused(which + ", the vocabulary has 0 to " + std::to_string(n_vocab - 1));
    if (i > 0 && ids[i] == ids[i - 1]) return refused(which + " twice");
  }
  return Ok{};
}

std::vector<int32_t> ids_of(const std::vector<LogitBias>& biases) {
  std::vector<int32_t> ids;
  for (const LogitBias& bias : biases) ids.push_back(bias.id);
  return ids;
}

}  // namespace

Result<> check_options(const Options& options) {
  TRY_OK(check_ranges(options));
  TRY_OK(check_breakers(options));
  TRY_OK(check_samplers(options));
  TRY_OK(check_biases(options));
  if (options.mirostat > 0 && options.adaptive_target >= 0)
    return refused("mirostat and adaptive_target exclude each other", "give one of them");
  return Ok{};
}

Result<> check_options(const Options& options, int n_vocab) {
  TRY_OK(check_options(options));
  TRY_OK(check_size("logit_bias", options.logit_bias.size(), kMostListedTokens));
  TRY_OK(check_ids("logit_bias", ids_of(options.logit_bias), n_vocab));
  TRY_OK(check_ids("banned", options.banned, n_vocab));
  TRY_OK(check_ids("allowed", options.allowed, n_vocab));
  return Ok{};
}

}  // namespace quern
