#include "tool_calls/literal.h"

#include <utility>

namespace quern {

NextOf::Step NextOf::feed(char c) {
  if (!active_) length_ = 0;
  for (size_t i = 0; i < texts_.size(); ++i) {
    const std::string_view text = texts_[i];
    // What has matched is the same in all that still can.
    const bool alive = length_ == 0 || text.substr(0, length_) ==
                                           std::string_view(texts_[index_]).substr(0, length_);
    if (!alive || length_ >= text.size() || text[length_] != c) continue;
    index_ = i;
    ++length_;
    active_ = length_ < text.size();
    return active_ ? Step::more : Step::found;
  }
  active_ = false;
  return Step::none;
}

FirstPlace::FirstPlace(std::string text) : text_(std::move(text)), fallback_(text_.size() + 1) {
  for (size_t i = 1, n = 0; i < text_.size(); ++i) {
    while (n > 0 && text_[i] != text_[n]) n = fallback_[n];
    if (text_[i] == text_[n]) ++n;
    fallback_[i + 1] = n;
  }
}

bool FirstPlace::feed(char c, std::string& passed) {
  while (n_matched_ > 0 && text_[n_matched_] != c) {
    const size_t shorter = fallback_[n_matched_];
    passed.append(text_, 0, n_matched_ - shorter);
    n_matched_ = shorter;
  }
  if (text_.empty() || text_[n_matched_] != c) {
    passed += c;
    return false;
  }
  if (++n_matched_ < text_.size()) return false;
  n_matched_ = 0;
  return true;
}

std::string FirstPlace::flush() { return text_.substr(0, std::exchange(n_matched_, 0)); }

}  // namespace quern
