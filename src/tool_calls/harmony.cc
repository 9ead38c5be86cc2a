// gpt-oss: an answer is messages, each with a header that names its channel and whom it is to:
// <|channel|>commentary to=functions.f <|constrain|>json<|message|>{...}<|call|>
#include <algorithm>

#include "tool_calls/tool_call_parser.h"

namespace quern {
namespace {

constexpr size_t kMostHeader = 512;
constexpr std::string_view kFunctions = "functions.";

std::string_view without_leading_space(std::string_view text) {
  const size_t first = text.find_first_not_of(" \n\r\t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// The word that follows `before`; empty where there is none.
std::string word_behind(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = without_leading_space(text.substr(at + before.size()));
  size_t n = 0;
  while (n < rest.size() && is_name_byte(rest[n])) ++n;
  return std::string(rest.substr(0, n));
}

// Without a mark a header is "assistant" or whom the message is to, as behind <|start|>.
bool like_header(std::string_view header) {
  if (header.find_first_of("\x01\x02") != std::string_view::npos) return true;
  const std::string_view text = without_leading_space(header);
  for (const std::string_view begin : {std::string_view("assistant"), std::string_view("to=")}) {
    const size_t n = std::min(begin.size(), text.size());
    if (text.substr(0, n) == begin.substr(0, n)) return true;
  }
  return false;
}

}  // namespace

// Bytes of a header go into header_; of marks one byte stands there.
void ToolCallParser::header(char c) {
  tree_.advance(static_cast<uint8_t>(c));
  if (const auto found = tree_.found()) {
    const Mark& mark = marks_[found->index];
    header_.resize(header_.size() - (found->bytes - 1));
    tree_.restart();
    switch (mark.kind) {
      case Kind::message:
        return begin_message();
      case Kind::channel:
        header_ += '\x02';
        return;
      case Kind::constrain:
        header_ += ' ';
        return;
      case Kind::message_start:
        header_ = '\x01';
        break;
      default:
        header_.clear();
        break;
    }
    held_.clear(), held_control_.clear();
    return;
  }
  header_ += c;
  const std::string_view unmarked(header_.data(), header_.size() - tree_.held());
  if (header_.size() <= kMostHeader && like_header(unmarked)) return;
  // A text without a header, as a grammar may ask for.
  header_.clear();
  read_again(tree_.held());
}

void ToolCallParser::begin_message() {
  const std::string header = std::exchange(header_, {});
  const std::string recipient = word_behind(header, "to=");
  const std::string channel = word_behind(header, "\x02");
  held_.clear(), held_control_.clear();
  writer_.mark();
  if (options_.calls && recipient.starts_with(kFunctions) && recipient.size() > kFunctions.size()) {
    return begin_reader(call_of(std::string_view(recipient).substr(kFunctions.size()),
                                dialect_->forms[0], writer_));
  }
  // Commentary is for the user, unless it is to a tool that the model has of itself.
  const bool thought = channel == "analysis" || !recipient.empty();
  where_ = thought ? Where::reasoning : Where::text;
}

}  // namespace quern
