// Renders chat templates one after the other, for the comparison with jinja2 (tests/jinja).
// Reads JSON lines {"template": "...", "messages": "[...]", "tools": "[...]", "documents": "[...]",
// "kwargs": "{...}", "bos": "...", "eos": "...", "now": 0, "add_generation_prompt": true} from
// standard input; everything but the template may be missing. What is JSON itself comes as a text,
// so that no parser on the way changes its numbers or the order of its keys. Writes one line each:
// {"text": "..."} or {"error": "invalid argument", "message": "..."}.
// Usage: jinja_render < in.jsonl > out.jsonl
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "text/chat_template.h"
#include "text/utf8_stream.h"

namespace quern {
namespace {

using Json = nlohmann::json;

Json error_line(const std::string& code, const std::string& message) {
  return {{"error", code}, {"message", to_valid_utf8(message)}};
}

// What holds for the typed ranges of every text: ascending, apart, inside, cut between characters.
bool are_sound(const ChatRender& render) {
  const auto starts_character = [&](size_t at) {
    return at == render.text.size() || (static_cast<uint8_t>(render.text[at]) & 0xC0u) != 0x80u;
  };
  size_t before = 0;
  for (const TextRange& range : render.typed) {
    if (range.first < before || range.last <= range.first) return false;
    if (range.last > render.text.size()) return false;
    if (!starts_character(range.first) || !starts_character(range.last)) return false;
    before = range.last;
  }
  return is_valid_utf8(render.text);
}

Json answer(const Json& in) {
  const auto text = [&](const char* field) { return in.value(field, std::string()); };
  auto made = ChatTemplate::parse(text("template"), text("bos"), text("eos"));
  if (!made) return error_line(name(made.error().code), made.error().what);
  RenderOptions options;
  options.tools_json = text("tools");
  options.documents_json = text("documents");
  options.kwargs_json = text("kwargs");
  options.now = in.value("now", int64_t{0});
  options.add_generation_prompt = in.value("add_generation_prompt", true);
  auto render = made->render(in.value("messages", std::string("[]")), options);
  // A template that was parsed is not corrupt: rust_error.cc says so of a bug.
  if (!render && render.error().code == Code::corrupt)
    return error_line("internal", render.error().what);
  if (!render) return error_line(name(render.error().code), render.error().what);
  if (!are_sound(*render)) return error_line("internal", "typed ranges that are not sound");
  return {{"text", render->text}};
}

int run() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(Json::parse(line)).dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace quern

int main() { return quern::run(); }
