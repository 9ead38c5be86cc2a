#include "engine/sample/check_options.h"

#include <algorithm>
#include <string>
#include <vector>

#include "options/check.h"

namespace quern {
namespace {

Error refused(std::string what, std::string fix = "") {
  return {Code::invalid_argument, std::move(what), "", std::move(fix)};
}

Result<> check_ids(const char* field, std::vector<int32_t> ids, int n_vocab) {
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

Result<> check_options(const SamplingOptions& o) {
  TRY_OK(options::check(options::schema().sampling, o));
  if (o.mirostat > 0 && o.adaptive_target >= 0)
    return refused("mirostat and adaptive_target exclude each other", "give one of them");
  return Ok{};
}

Result<> check_options(const SamplingOptions& o, int n_vocab) {
  TRY_OK(check_options(o));
  TRY_OK(check_ids("logit_bias", ids_of(o.logit_bias), n_vocab));
  TRY_OK(check_ids("banned", o.banned, n_vocab));
  TRY_OK(check_ids("allowed", o.allowed, n_vocab));
  return Ok{};
}

}  // namespace quern
