// Whether values are within their limits. Errors: invalid_argument, by the name under which the
// caller knows the option, with the value and what it may be.
#pragma once
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "options/schema.h"

namespace quern::options {

// "at least 0 and at most 100"
std::string range_text(const Limits& limits, double unit = 1);
// "temperature is -1, must be at least 0 and at most 100"
Error out_of_range(std::string_view called, std::string_view value, const Limits& limits,
                   double unit = 1);
// "numerics has no such value: 'best'"; names them all
Error unknown_name(std::string_view called, std::string_view value,
                   std::span<const char* const> names);
inline bool within(const Limits& limits, int64_t value) {
  return static_cast<double>(value) >= limits.least && static_cast<double>(value) <= limits.most;
}
inline bool within(const Limits& limits, float value) {  // NaN is not
  return value >= static_cast<float>(limits.least) && value <= static_cast<float>(limits.most);
}
// The nearest float; infinity beyond them.
float to_float(double value);
// A number as errors and --help write it.
std::string number_text(double value);

Result<> check(std::string_view called, const Limits& limits, int64_t value);
Result<> check(std::string_view called, const Limits& limits, float value);
Result<> check(std::string_view called, const Limits& limits, const std::string& value);
Result<> check(std::string_view called, const Limits& limits,
               const std::vector<std::string>& value);
Result<> check(std::string_view called, const Limits& limits, const std::vector<int32_t>& value);
Result<> check(std::string_view called, const Limits& limits, const std::vector<LogitBias>& value);
// These may have any value.
inline Result<> check(std::string_view, const Limits&, bool) { return Ok{}; }
inline Result<> check(std::string_view, const Limits&, uint64_t) { return Ok{}; }
inline Result<> check(std::string_view called, const Limits& limits, int value) {
  return check(called, limits, int64_t{value});
}

template <class T>
Result<> check(const Option<T>& option, const T& options) {
  const auto one = [&](const auto& member) -> Result<> {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice<T>>) {
      const int value = member.get(options);
      if (value >= 0 && static_cast<size_t>(value) < member.names.size()) return Ok{};
      return unknown_name(option.name, std::to_string(value), member.names);
    } else {
      return check(option.name, option.limits, options.*member);
    }
  };
  return std::visit(one, option.member);
}

// All options of a struct; the error's `where` is the member.
template <class T>
Result<> check(std::span<const Option<T>> rows, const T& options) {
  for (const Option<T>& option : rows) {
    if (auto outcome = check(option, options); !outcome) {
      Error error = outcome.error();
      error.where = option.name;
      return error;
    }
  }
  return Ok{};
}

// All options of a request but those that only a vocabulary can judge.
Result<> check(const GenerateOptions& options, const Schema& schema = quern::options::schema());

// The row of this name; null: there is none.
template <class T>
const Option<T>* find(std::span<const Option<T>> rows, std::string_view name) {
  for (const Option<T>& option : rows)
    if (option.name == name) return &option;
  return nullptr;
}

}  // namespace quern::options
