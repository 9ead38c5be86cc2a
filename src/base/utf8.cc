#include "base/utf8.h"

#include <cstdint>

namespace quern {
namespace {

// Bytes of the well-formed sequence that text begins with; 0: there is none. (Unicode 15, table
// 3-7)
size_t sequence(std::string_view text) {
  const auto at = [&](size_t i) -> uint32_t {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
  };
  const uint32_t lead = at(0);
  if (lead < 0x80) return 1;
  const size_t n = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (n == 0) return 0;
  const uint32_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint32_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (at(1) < least || at(1) > most) return 0;
  for (size_t i = 2; i < n; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  return n;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t n = sequence(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string printable(std::string_view text, size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "'";
  while (!text.empty()) {
    if (out.size() > limit) return out + "...'";
    const size_t n = sequence(text);
    const auto lead = static_cast<uint8_t>(text[0]);
    const bool c1_control = n == 2 && lead == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0;
    if (n == 0 || lead < 0x20 || lead == 0x7f || c1_control) {
      for (size_t i = 0; i < (n == 0 ? 1 : n); ++i) {
        const auto byte = static_cast<uint8_t>(text[i]);
        out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      }
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out + "'";
}

}  // namespace quern
