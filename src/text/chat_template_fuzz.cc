// libFuzzer target: a chat template and the text of a message from arbitrary bytes, cut at the
// first zero byte. Nothing may crash, hang or leak, an error is never Rust's panic, and the typed
// ranges of a text are ascending, apart and inside it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/chat_template.h"

namespace quern {
namespace {

// As a JSON string; bytes beyond ASCII become Latin-1, so that all of them are something.
std::string quoted(std::string_view text) {
  const char* digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    out += std::string("\\u00") + digits[byte / 16] + digits[byte % 16];
  }
  return out + "\"";
}

void check_ranges(const ChatRender& render) {
  size_t at = 0;
  for (const TextRange& range : render.typed) {
    if (range.first < at || range.last <= range.first) std::abort();
    at = range.last;
  }
  if (at > render.text.size()) std::abort();
}

void run(std::string_view data) {
  const size_t cut = data.find('\0');
  const std::string_view source = data.substr(0, cut);
  const std::string_view typed = cut == std::string_view::npos ? "" : data.substr(cut + 1);
  auto made = ChatTemplate::parse(source, "<s>", "</s>");
  if (!made) return;
  const std::string messages = R"([{"role":"user","content":)" + quoted(typed) +
                               R"(},{"role":"assistant","content":[{"type":"text","text":"x"}]}])";
  RenderOptions options;
  options.tools_json =
      R"([{"type":"function","function":{"name":"f","parameters":{"a":[1,2.5]}}}])";
  options.now = 0;
  auto render = made->render(messages, options);
  if (render) check_ranges(*render);
  // While a template renders, only a panic is reported as a corrupt template.
  if (!render && render.error().code == Code::corrupt) std::abort();
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
