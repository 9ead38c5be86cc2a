#include "formats/gguf_input.h"

#include <algorithm>

#include "base/utf8.h"

namespace quern {
namespace {

constexpr uint64_t kMaxNameBytes = 65535;  // of the specification

}  // namespace

Error GgufInput::error(Code code, uint64_t at, std::string what, const char* fix) const {
  return {code, std::move(what), name_ + ", byte " + std::to_string(at), fix};
}

Error GgufInput::corrupt(uint64_t at, std::string what, const char* fix) const {
  return error(Code::corrupt, at, std::move(what), fix);
}

Error GgufInput::cut_off(const std::string& what) const {
  return corrupt(offset(), "the file ends within " + what);
}

Result<std::string_view> GgufInput::read_name(const std::string& what) {
  const uint64_t at = offset();
  std::string_view text;
  if (!read(text)) return cut_off(what);
  if (text.empty()) return corrupt(at, what + " is empty", kGgufBadWriter);
  if (text.size() > kMaxNameBytes)
    return corrupt(at, what + " is " + std::to_string(text.size()) + " bytes long");
  if (!is_utf8(text) ||
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }))
    return corrupt(at, what + " is not plain UTF-8 text: " + printable(text));
  return text;
}

}  // namespace quern
