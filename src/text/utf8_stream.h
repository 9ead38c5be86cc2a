// Bytes in, only whole valid UTF-8 out: tokens may end in the middle of a character, a client must
// not see that.
#pragma once
#include <string>
#include <string_view>

namespace quern {

// One running text. Invalid bytes become U+FFFD, one for each maximal prefix of a well-formed
// sequence (the WHATWG rule, and Python's errors="replace"), so the output is that of decoding the
// whole text at once, wherever it was cut. Not thread-safe; copies are independent.
class Utf8Stream {
 public:
  // The characters that are now complete, including bytes held back before. At most 3 bytes are
  // held back.
  std::string push(std::string_view bytes);
  // The end of the text: an unfinished sequence becomes one U+FFFD. Ready for a new text
  // afterwards.
  std::string flush();
  bool pending() const { return !pending_.empty(); }

 private:
  std::string pending_;  // a proper prefix of a well-formed sequence
};

// The whole of `bytes` by the same rule.
std::string to_valid_utf8(std::string_view bytes);

bool is_valid_utf8(std::string_view bytes);

}  // namespace quern
