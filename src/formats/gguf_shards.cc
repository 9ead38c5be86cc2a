#include "formats/gguf_shards.h"

#include <cstdio>

namespace quern {
namespace {

constexpr std::string_view kSuffix = ".gguf", kOf = "-of-";
constexpr size_t kDigits = 5;

std::optional<int> five_digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::optional<ShardName> parse_shard_name(std::string_view path) {
  constexpr size_t tail = 1 + kDigits + kOf.size() + kDigits + kSuffix.size();
  if (path.size() < tail || !path.ends_with(kSuffix)) return std::nullopt;
  const std::string_view part = path.substr(path.size() - tail);
  if (part[0] != '-' || part.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  const auto number = five_digits(part.substr(1, kDigits));
  const auto count = five_digits(part.substr(1 + kDigits + kOf.size(), kDigits));
  if (!number || !count || *number < 1 || *count < 1) return std::nullopt;
  return ShardName{std::string(path.substr(0, path.size() - tail)), *number, *count};
}

std::string shard_path(const std::string& stem, int number, int count) {
  char tail[32];
  std::snprintf(tail, sizeof tail, "-%05d-of-%05d.gguf", number, count);
  return stem + tail;
}

}  // namespace quern
