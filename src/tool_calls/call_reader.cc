#include "tool_calls/call_reader.h"

#include <utility>

namespace quern {

bool is_call_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool is_name_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte != 0x7F &&
         std::string_view("<>{}[]()\"'`,;=|\\").find(c) == std::string_view::npos;
}

ValueReader::Step CallReader::feed_value(char c) {
  out_.clear();
  const ValueReader::Step step = value_.feed(c, out_);
  writer_.arguments(out_);
  return step;
}

CallReader::Step CallReader::begin_raw(char c) {
  writer_.arguments(value_.unwritten());
  raw_ = std::make_unique<FirstPlace>(form_.end);
  return raw(c);
}

CallReader::Step CallReader::raw(char c) {
  out_.clear();
  const bool ended = raw_->feed(c, out_);
  writer_.arguments(out_);
  if (!ended) return {};
  writer_.end_call(false);
  return {Kind::done};
}

void CallReader::finish() {
  if (!writer_.call_open()) return;
  if (raw_) writer_.arguments(raw_->flush());
  writer_.end_call(false);
}

CallTail::CallTail(const CallForm& form) {
  for (const std::string& text : {form.close, form.end})
    if (!text.empty()) texts_.push_back(text);
}

CallReader::Step CallTail::feed(char c) {
  using Kind = CallReader::Step::Kind;
  if (n_matched_ == 0 && is_call_space(c)) return {};
  for (; text_ < texts_.size(); ++text_) {
    const std::string& text = texts_[text_];
    if (text[n_matched_] == c) {
      if (++n_matched_ < text.size()) return {};
      n_matched_ = 0;
      return {++text_ < texts_.size() ? Kind::more : Kind::done};
    }
    if (n_matched_ > 0) break;
  }
  return {Kind::left, n_matched_ + 1};
}

}  // namespace quern
