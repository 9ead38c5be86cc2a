// Values as they are typed on a command line.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "options/check.h"

namespace quern::options {

// Strict readings of a whole string; nothing where it is not one.
std::optional<int64_t> read_integer(std::string_view text);
std::optional<double> read_number(std::string_view text);  // finite

// Errors: invalid_argument, by the flag's name; `out` is left alone.
struct Typed {
  std::string_view flag;
  const Limits& limits;
  const Names& names;
  const std::vector<std::string>& values;  // at least one; of a single value the last one counts
};
Result<> read_typed(const Typed& typed, bool& out);  // "on" or "off"
Result<> read_typed(const Typed& typed, int& out);
Result<> read_typed(const Typed& typed, int64_t& out);
Result<> read_typed(const Typed& typed, uint64_t& out);  // any 64 bits, with a sign or without
Result<> read_typed(const Typed& typed, float& out);
Result<> read_typed(const Typed& typed, std::string& out);
Result<> read_typed(const Typed& typed, std::vector<std::string>& out);
Result<> read_typed(const Typed& typed, std::vector<int32_t>& out);    // "1,2,3"
Result<> read_typed(const Typed& typed, std::vector<LogitBias>& out);  // "15043=-1.5", "7=-inf"
Result<int> read_name(std::string_view flag, std::string_view value,
                      std::span<const char* const> names);

// The name of an option's flag in errors: of "-n,--n-predict" the last one.
std::string flag_name(const Names& names);

template <class T>
Result<> read_typed(const Option<T>& option, const std::vector<std::string>& values, T& out) {
  const std::string flag = flag_name(option.names);
  Limits limits = option.limits;
  limits.least = std::max(limits.least, option.names.flag_least);
  const Typed typed{flag, limits, option.names, values};
  const auto one = [&](const auto& member) -> Result<> {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice<T>>) {
      TRY(const int value, read_name(typed.flag, typed.values.back(), member.names));
      member.set(out, value);
      return Ok{};
    } else {
      return read_typed(typed, out.*member);
    }
  };
  return std::visit(one, option.member);
}

// What --help calls the value; empty: the flag has none.
template <class T>
std::string value_kind(const Option<T>& option) {
  if (option.names.flag_value) return option.names.flag_value;
  constexpr const char* kKinds[] = {"",     "N",    "N",     "N",       "X",
                                    "TEXT", "TEXT", "N,...", "ID=BIAS", "NAME"};
  static_assert(std::size(kKinds) == std::variant_size_v<Member<T>>);
  return option.names.flag_unit == 1 ? kKinds[option.member.index()] : "X";
}

// Whether the flag may be repeated, each time with an entry more.
template <class T>
bool is_repeated(const Option<T>& option) {
  return std::holds_alternative<std::vector<LogitBias> T::*>(option.member) ||
         (std::holds_alternative<std::vector<std::string> T::*>(option.member) &&
          option.limits.names.empty());
}

std::vector<std::string> split_names(std::string_view names);  // at ; and ,

// The value as --help and docs/options.md write it; empty: nothing.
std::string shown_value(const Limits& limits, bool value);
std::string shown_value(const Limits& limits, int64_t value);
std::string shown_value(const Limits& limits, uint64_t value);
std::string shown_value(const Limits& limits, float value);
std::string shown_value(const Limits& limits, const std::string& value);
std::string shown_value(const Limits& limits, const std::vector<std::string>& value);
std::string shown_value(const Limits& limits, const std::vector<int32_t>& value);
std::string shown_value(const Limits& limits, const std::vector<LogitBias>& value);
inline std::string shown_value(const Limits& limits, int value) {
  return shown_value(limits, int64_t{value});
}

template <class T>
std::string shown_default(const Option<T>& option, const T& defaults) {
  if (option.default_text) return option.default_text;
  const auto one = [&](const auto& member) -> std::string {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice<T>>)
      return member.names[member.get(defaults)];
    else
      return shown_value(option.limits, defaults.*member);
  };
  return std::visit(one, option.member);
}

// The option's line in --help, with its default.
template <class T>
std::string help_text(const Option<T>& option, const T& defaults) {
  const std::string value = shown_default(option, defaults);
  const bool plain = value_kind(option).empty();  // a switch
  return option.help + (plain || value.empty() ? "" : " [" + value + "]");
}

}  // namespace quern::options
