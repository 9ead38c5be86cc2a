// libFuzzer target: an answer of any dialect from arbitrary bytes, whole and in pieces: both give
// the same events, calls are well-formed, complete arguments are JSON.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/utf8_stream.h"
#include "tool_calls/case_tools.h"
#include "tool_calls/tool_call_parser.h"

namespace quern {
namespace {

constexpr char kSwitch = '\x02';  // text from here on is of control tokens, or no more

void require(bool holds) {
  if (!holds) std::abort();
}

// At most `piece` bytes at a time.
std::vector<AnswerEvent> parse(const ToolDialect& dialect, const ParserOptions& options,
                               std::string_view text, size_t piece) {
  static const auto kTools = testing::case_tools();
  const std::shared_ptr<const ToolDialect> kept(std::shared_ptr<const void>(), &dialect);
  ToolCallParser parser(kept, {"<think>", "</think>"}, kTools, options);
  std::vector<AnswerEvent> events;
  bool control = false;
  while (!text.empty()) {
    if (text[0] == kSwitch) control = !control, text.remove_prefix(1);
    const size_t n = std::min({piece, text.size(), text.find(kSwitch)});
    control ? parser.push_control(text.substr(0, n)) : parser.push(text.substr(0, n));
    text.remove_prefix(n);
    for (AnswerEvent& event : parser.take()) events.push_back(std::move(event));
  }
  parser.finish();
  for (AnswerEvent& event : parser.take()) events.push_back(std::move(event));
  std::vector<AnswerEvent> merged;
  for (AnswerEvent& event : events) {
    if (!merged.empty() && merged.back().part == event.part && !event.text.empty()) {
      merged.back().text += event.text;
    } else {
      merged.push_back(std::move(event));
    }
  }
  return merged;
}

void check(const std::vector<AnswerEvent>& events) {
  int call = -1;
  bool open = false;
  std::string arguments;
  for (const AnswerEvent& event : events) {
    switch (event.part) {
      case AnswerPart::text:
      case AnswerPart::reasoning:
        require(!open && !event.text.empty());
        break;
      case AnswerPart::call_begin:
        require(!open && event.call == ++call && !event.name.empty() && !event.id.empty());
        open = true;
        arguments.clear();
        break;
      case AnswerPart::arguments:
        require(open && event.call == call);
        arguments += event.text;
        break;
      case AnswerPart::call_end:
        require(open && event.call == call);
        open = false;
        // The text may be no UTF-8 here, which nlohmann refuses.
        if (event.complete) require(nlohmann::json::accept(to_valid_utf8(arguments)));
    }
  }
  require(!open);
}

void run(const uint8_t* data, size_t size) {
  if (size < 3) return;
  const auto dialects = tool_dialects();
  const ParserOptions options = {.reasoning_open = (data[1] & 1u) != 0,
                                 .calls = (data[1] & 6u) != 0};
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const ToolDialect& dialect = dialects[data[0] % dialects.size()];
  const auto whole = parse(dialect, options, text, SIZE_MAX);
  check(whole);
  require(parse(dialect, options, text, 1) == whole);
  require(parse(dialect, options, text, 1 + data[2] % 32) == whole);
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::run(data, size);
  return 0;
}
