#include "formats/metadata.h"

namespace quern {

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
