#include "tool_calls/marked_text.h"

#include <algorithm>

namespace quern {

std::vector<MarkedText::Piece> MarkedText::push(std::string_view text,
                                                std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    const std::string bytes = tokenizer_.bytes(id, false);
    if (bytes.empty()) {
      waiting_.push_back({n_made_, tokenizer_.bytes(id, true)});
    } else {
      n_made_ += characters_.push(bytes).size();
    }
  }
  std::vector<Piece> pieces;
  while (true) {
    const size_t until = waiting_.empty() ? text.size() : waiting_.front().place - n_given_;
    const size_t n = std::min(until, text.size());
    if (n > 0) pieces.push_back({std::string(text.substr(0, n)), false});
    text.remove_prefix(n);
    n_given_ += n;
    if (waiting_.empty() || waiting_.front().place > n_given_) return pieces;
    if (!waiting_.front().text.empty()) pieces.push_back({waiting_.front().text, true});
    waiting_.pop_front();
  }
}

}  // namespace quern
