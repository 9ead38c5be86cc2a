// UTF-8 as far as the lower layers need it: is this text valid, and how to quote untrusted bytes in
// an error message.
#pragma once
#include <string>
#include <string_view>

namespace quern {

// No overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// The text without the byte order mark that some editors and shells write before UTF-8.
constexpr std::string_view without_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

// The text in quotes for an error message, safe on any terminal: control characters and invalid
// bytes as \xNN, cut with "..." after about `limit` bytes.
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace quern
