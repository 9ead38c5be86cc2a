// Compares Quern's names (formats, shapes, numerics, ...) ignoring case.
#pragma once
#include <algorithm>
#include <string_view>

namespace quern {

// ASCII letters only, independent of the locale.
inline bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace quern
