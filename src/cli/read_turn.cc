#include <string_view>

#include "cli/line_source.h"

namespace quern::cli {

namespace {

constexpr std::string_view kQuotes = "\"\"\"";

// From just behind the opening quotes, on a line already read.
Line read_quoted(LineSource& lines, std::string rest, const std::string& continuation) {
  std::string text;
  while (true) {
    const size_t end = rest.find(kQuotes);
    if (end != std::string::npos) return {LineKind::typed, text + rest.substr(0, end)};
    text += rest;
    Line next = lines.read(continuation);
    if (next.kind == LineKind::interrupted || next.kind == LineKind::failed) return next;
    if (next.kind == LineKind::end) return {LineKind::typed, std::move(text)};
    text += '\n';
    rest = std::move(next.text);
  }
}

}  // namespace

Line read_turn(LineSource& lines, const std::string& prompt, const std::string& continuation) {
  Line line = lines.read(prompt);
  if (line.kind != LineKind::typed) return line;
  if (line.text.starts_with(kQuotes))
    return read_quoted(lines, line.text.substr(kQuotes.size()), continuation);
  while (line.text.ends_with('\\')) {
    line.text.back() = '\n';
    const Line next = lines.read(continuation);
    if (next.kind == LineKind::interrupted || next.kind == LineKind::failed) return next;
    if (next.kind == LineKind::end) break;
    line.text += next.text;
  }
  return line;
}

}  // namespace quern::cli
