// Control tokens put back into the text of a running answer, for a parser that looks for them.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/utf8_stream.h"

namespace quern {

// The engine gives the ids of all tokens, and the text of those that are no control tokens, later
// than the ids where a part of it is held back (half a character, the beginning of a stop string),
// and never behind a stop string. Each control token comes here behind the text of the tokens
// before it, and not at all where that text has not come.
class MarkedText {
 public:
  explicit MarkedText(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

  struct Piece {
    std::string text;
    bool control = false;  // a control token: how the vocabulary spells it
    bool operator==(const Piece&) const = default;
  };
  // What the engine gave at a time (Delta).
  std::vector<Piece> push(std::string_view text, std::span<const int32_t> ids);

 private:
  struct Control {
    size_t place;  // bytes of the answer's text before it
    std::string text;
  };
  Tokenizer tokenizer_;
  Utf8Stream characters_;  // as the engine's own
  size_t n_made_ = 0;      // bytes of text of the ids so far
  size_t n_given_ = 0;     // ... and of the text so far
  std::deque<Control> waiting_;
};

}  // namespace quern
