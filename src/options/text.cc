#include "options/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/same_name.h"

namespace quern::options {
namespace {

std::string quoted(std::string_view value) { return "'" + std::string(value) + "'"; }

Error not_a(const Typed& typed, std::string_view value, std::string_view wanted) {
  return {Code::invalid_argument,
          std::string(typed.flag) + " is " + quoted(value) + ", must be " + std::string(wanted), "",
          ""};
}

template <class Whole>
Result<> read_whole(const Typed& typed, Whole& out) {
  const std::string& text = typed.values.back();
  if (typed.names.flag_unit != 1) {
    const auto number = read_number(text);
    if (!number || *number * typed.names.flag_unit < typed.limits.least ||
        *number * typed.names.flag_unit > typed.limits.most)
      return not_a(typed, text, "a number, " + range_text(typed.limits, typed.names.flag_unit));
    out = static_cast<Whole>(std::ceil(*number * typed.names.flag_unit));
    return Ok{};
  }
  const auto number = read_integer(text);
  if (!number) return not_a(typed, text, "an integer, " + range_text(typed.limits));
  if (!within(typed.limits, *number)) return out_of_range(typed.flag, quoted(text), typed.limits);
  out = static_cast<Whole>(*number);
  return Ok{};
}

std::optional<uint64_t> read_64_bits(std::string_view text) {
  if (const auto number = read_integer(text)) return static_cast<uint64_t>(*number);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> split(std::string_view text, const char* at) {
  std::vector<std::string> list;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of(at, begin), text.size());
    list.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

}  // namespace

std::optional<int64_t> read_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> read_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::vector<std::string> split_names(std::string_view names) { return split(names, ";,"); }

std::string flag_name(const Names& names) {
  const std::string_view flags = names.flags;
  const size_t comma = flags.rfind(',');
  return std::string(comma == std::string_view::npos ? flags : flags.substr(comma + 1));
}

Result<> read_typed(const Typed& typed, bool& out) {
  constexpr const char* kNames[] = {"off", "on"};
  TRY(const int value, read_name(typed.flag, typed.values.back(), kNames));
  out = value == 1;
  return Ok{};
}

Result<> read_typed(const Typed& typed, int& out) { return read_whole(typed, out); }
Result<> read_typed(const Typed& typed, int64_t& out) { return read_whole(typed, out); }

Result<> read_typed(const Typed& typed, uint64_t& out) {
  const auto number = read_64_bits(typed.values.back());
  if (!number) return not_a(typed, typed.values.back(), "an integer from -2^63 to 2^64 - 1");
  out = *number;
  return Ok{};
}

Result<> read_typed(const Typed& typed, float& out) {
  const std::string& text = typed.values.back();
  const auto number = read_number(text);
  if (!number) return not_a(typed, text, "a number, " + range_text(typed.limits));
  if (!within(typed.limits, to_float(*number)))
    return out_of_range(typed.flag, quoted(text), typed.limits);
  out = to_float(*number);
  return Ok{};
}

Result<> read_typed(const Typed& typed, std::string& out) {
  TRY_OK(check(typed.flag, typed.limits, typed.values.back()));
  out = typed.values.back();
  return Ok{};
}

Result<> read_typed(const Typed& typed, std::vector<std::string>& out) {
  std::vector<std::string> texts =
      typed.limits.names.empty() ? typed.values : split_names(typed.values.back());
  if (typed.names.flag_none)
    std::erase_if(texts, [](const std::string& text) { return same_name(text, "none"); });
  TRY_OK(check(typed.flag, typed.limits, texts));
  out = std::move(texts);
  return Ok{};
}

Result<> read_typed(const Typed& typed, std::vector<int32_t>& out) {
  std::vector<int32_t> ids;
  for (const std::string& text : split(typed.values.back(), ",")) {
    const auto id = read_integer(text);
    if (!id || *id < 0 || *id > INT32_MAX)
      return not_a(typed, typed.values.back(), "a token's id, or several with commas between");
    ids.push_back(static_cast<int32_t>(*id));
  }
  TRY_OK(check(typed.flag, typed.limits, ids));
  out = std::move(ids);
  return Ok{};
}

Result<> read_typed(const Typed& typed, std::vector<LogitBias>& out) {
  std::vector<LogitBias> biases;
  for (const std::string& text : typed.values) {
    const size_t at = std::min(text.find('='), text.size());
    const std::string value = text.substr(std::min(at + 1, text.size()));
    const auto id = read_integer(std::string_view(text).substr(0, at));
    const auto bias = value == "-inf" ? std::optional(0.0) : read_number(value);
    if (!id || *id < 0 || *id > INT32_MAX || !bias) {
      Error error = not_a(typed, text, "a token's id, = and a number or -inf");
      error.fix = "quern tokenize prints ids";
      return error;
    }
    biases.push_back({static_cast<int32_t>(*id), to_float(*bias)});
    if (value == "-inf") biases.back().bias = -std::numeric_limits<float>::infinity();
  }
  TRY_OK(check(typed.flag, typed.limits, biases));
  out = std::move(biases);
  return Ok{};
}

Result<int> read_name(std::string_view flag, std::string_view value,
                      std::span<const char* const> names) {
  for (size_t i = 0; i < names.size(); ++i)
    if (same_name(value, names[i])) return static_cast<int>(i);
  return unknown_name(flag, value, names);
}

std::string shown_value(const Limits&, bool value) { return value ? "on" : "off"; }
std::string shown_value(const Limits&, int64_t value) { return std::to_string(value); }
std::string shown_value(const Limits&, uint64_t value) {
  return value == kRandomSeed ? "-1" : std::to_string(value);
}
std::string shown_value(const Limits&, float value) { return number_text(value); }
std::string shown_value(const Limits&, const std::string& value) { return value; }
std::string shown_value(const Limits& limits, const std::vector<std::string>& value) {
  if (value.empty()) {
    std::vector<std::string> names;
    for (const KnownName& one : limits.names) names.emplace_back(one.name);
    return joined(names, ";");
  }
  std::string all = joined(value, " ");
  for (size_t at; (at = all.find('\n')) != std::string::npos;) all.replace(at, 1, "\\n");
  return all;
}
std::string shown_value(const Limits&, const std::vector<int32_t>& value) {
  std::vector<std::string> ids;
  for (const int32_t id : value) ids.push_back(std::to_string(id));
  return joined(ids, ",");
}
std::string shown_value(const Limits&, const std::vector<LogitBias>& value) {
  std::vector<std::string> biases;
  for (const LogitBias& one : value)
    biases.push_back(std::to_string(one.id) + "=" + number_text(one.bias));
  return joined(biases, " ");
}

}  // namespace quern::options
