#include "formats/metadata.h"

#include <cstdio>

#include "base/utf8.h"

namespace quern {
namespace {

std::string one(bool value) { return value ? "true" : "false"; }
std::string one(int64_t value) { return std::to_string(value); }
std::string one(std::string_view value) { return printable(value, 40); }
std::string one(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return text;
}

template <class Array>
std::string list(const Array& values) {
  constexpr size_t kMax = 8;
  std::string text;
  auto at = values.begin();
  for (size_t i = 0; i < values.size() && i < kMax; ++i, ++at)
    text += (i == 0 ? "" : ", ") + one(*at);
  return "[" + text + (values.size() > kMax ? ", ..." : "") + "]";
}
template <class T>
std::string one(const std::vector<T>& values) {
  return list(values);
}
std::string one(const StringArray& values) { return list(values); }

}  // namespace

std::string to_text(const MetaValue& value) {
  return std::visit([](const auto& v) { return one(v); }, value);
}

std::optional<int64_t> Metadata::integer(std::string_view key) const {
  if (const auto* value = get<int64_t>(key)) return *value;
  if (const auto* value = get<bool>(key)) return *value ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Metadata::number(std::string_view key) const {
  if (const auto* value = get<double>(key)) return *value;
  if (const auto* value = get<int64_t>(key)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::string> Metadata::text(std::string_view key) const {
  if (const auto* value = get<std::string>(key)) return *value;
  return std::nullopt;
}

}  // namespace quern
