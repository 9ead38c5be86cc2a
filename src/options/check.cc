#include "options/check.h"

#include <cstdio>
#include <set>

#include "base/same_name.h"
#include "base/utf8.h"
#include "options/sampler_names.h"

namespace quern::options {
namespace {

Error refused(std::string what, std::string fix = "") {
  return {Code::invalid_argument, std::move(what), "", std::move(fix)};
}

Result<> check_entries(std::string_view called, const Limits& limits, size_t n) {
  if (n <= limits.most_entries) return Ok{};
  return refused(std::string(called) + " has " + std::to_string(n) + " entries, at most " +
                 std::to_string(limits.most_entries));
}

Result<> check_names(std::string_view called, const Limits& limits,
                     const std::vector<std::string>& texts) {
  std::set<const KnownName*> seen;
  for (const std::string& text : texts) {
    const KnownName* name = find_name(limits.names, text);
    if (!name) {
      std::string names;
      for (const KnownName& one : limits.names)
        names += (names.empty() ? "" : ", ") + std::string(one.name);
      return refused(std::string(called) + " has '" + text.substr(0, 40) + "', which is none",
                     "there are " + names);
    }
    if (!seen.insert(name).second)
      return refused(std::string(called) + " has " + name->name + " twice");
  }
  return Ok{};
}

}  // namespace

const KnownName* find_name(std::span<const KnownName> names, std::string_view name) {
  for (const KnownName& one : names)
    if (same_name(name, one.name) || (one.other_name && same_name(name, one.other_name)))
      return &one;
  return nullptr;
}

std::string number_text(double value) {
  char text[40];
  const bool whole = value == std::floor(value) && std::abs(value) < 1e16;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", value);
  return text;
}

float to_float(double value) {
  if (std::abs(value) <= std::numeric_limits<float>::max()) return static_cast<float>(value);
  return std::copysign(std::numeric_limits<float>::infinity(),
                       static_cast<float>(value > 0) - 0.5f);
}

std::string range_text(const Limits& limits, double unit) {
  return "at least " + number_text(limits.least / unit) + " and at most " +
         number_text(limits.most / unit);
}

Error out_of_range(std::string_view called, std::string_view value, const Limits& limits,
                   double unit) {
  return refused(std::string(called) + " is " + std::string(value) + ", must be " +
                 range_text(limits, unit));
}

Error unknown_name(std::string_view called, std::string_view value,
                   std::span<const char* const> names) {
  std::string all;
  for (const char* name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  return refused(
      std::string(called) + " has no such value: '" + std::string(value.substr(0, 40)) + "'",
      "there are: " + all);
}

Result<> check(std::string_view called, const Limits& limits, int64_t value) {
  if (within(limits, value)) return Ok{};
  return out_of_range(called, std::to_string(value), limits);
}

Result<> check(std::string_view called, const Limits& limits, float value) {
  if (within(limits, value)) return Ok{};
  char text[40];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(value));
  return out_of_range(called, text, limits);
}

Result<> check(std::string_view called, const Limits& limits, const std::string& value) {
  if (value.size() < limits.least_bytes || value.size() > limits.most_bytes)
    return refused(std::string(called) + " has " + std::to_string(value.size()) +
                   " bytes, must have " + std::to_string(limits.least_bytes) + " to " +
                   std::to_string(limits.most_bytes));
  if (limits.utf8 && !is_utf8(value)) return refused(std::string(called) + " is not valid UTF-8");
  return Ok{};
}

Result<> check(std::string_view called, const Limits& limits,
               const std::vector<std::string>& value) {
  TRY_OK(check_entries(called, limits, value.size()));
  if (!limits.names.empty()) return check_names(called, limits, value);
  size_t total = 0;
  for (const std::string& text : value) {
    const std::string entry = " string " + std::to_string(&text - value.data()) + " is ";
    total += text.size();
    if (text.size() < limits.least_bytes || text.size() > limits.most_bytes)
      return refused(std::string(called) + " has one of " + std::to_string(text.size()) +
                         " bytes, must be " + std::to_string(limits.least_bytes) + " to " +
                         std::to_string(limits.most_bytes) +
                         (text.empty() ? ":" + entry + "empty" : ""),
                     text.empty() ? "give it a text, or leave it out" : "");
    if (limits.utf8 && !is_utf8(text))
      return refused(std::string(called) + entry + "not valid UTF-8");
  }
  if (total <= limits.most_total_bytes) return Ok{};
  return refused(std::string(called) + " has " + std::to_string(total) + " bytes, at most " +
                 std::to_string(limits.most_total_bytes));
}

Result<> check(std::string_view called, const Limits& limits, const std::vector<int32_t>& value) {
  return check_entries(called, limits, value.size());
}

Result<> check(std::string_view called, const Limits& limits, const std::vector<LogitBias>& value) {
  TRY_OK(check_entries(called, limits, value.size()));
  for (const LogitBias& bias : value) {
    if (bias.bias == -std::numeric_limits<float>::infinity()) continue;
    if (within(limits, bias.bias)) continue;
    const std::string one = std::string(called) + " of token " + std::to_string(bias.id);
    return refused(check(one, limits, bias.bias).error().what + ", or -inf");
  }
  return Ok{};
}

Result<> check(const GenerateOptions& options, const Schema& schema) {
  TRY_OK(check(schema.sampling, options.sampling));
  TRY_OK(check(schema.generate, options));
  TRY_OK(check(schema.reasoning, options.reasoning));
  return check(schema.grammar, options.grammar);
}

}  // namespace quern::options
