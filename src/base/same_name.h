// Names of ours (formats, shapes, numerics, ...) as people write them: in any case.
#pragma once
#include <algorithm>
#include <string_view>

namespace quern {

// Upper and lower case of ASCII's letters are the same, whatever the locale.
inline bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace quern
