// Ends a model's reasoning after a number of tokens, by forcing the end marker.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quern {

// Reasoning as tokens: not empty, and the same text may be one token or several.
struct ReasoningMarks {
  std::vector<int32_t> start, end;
  std::vector<int32_t> message;  // comes before `end` where the budget forces it; may be empty
};

// A value: speculation works on copies. Counts every reasoning token of the answer, also where the
// model begins to reason anew. The start mark does not count, nor does the last token of the end.
class ReasoningBudget {
 public:
  // budget: tokens, at least 0. reasoning: the prompt ends inside the reasoning already, as
  // templates do that open it themselves.
  ReasoningBudget(ReasoningMarks marks, int budget, bool reasoning);

  // The forced next token; nothing where the model is free. Asked before each token.
  std::optional<int32_t> forced() const;

  // Takes the token that was chosen or forced. whole_text: the text so far ends with a whole
  // character; the budget waits for that, at most three tokens.
  void accept(int32_t id, bool whole_text = true);

  bool reasoning() const { return state_ != State::outside; }
  int left() const { return left_; }

 private:
  enum class State : uint8_t { outside, counting, forcing };
  void count(bool whole_text);
  void force();

  ReasoningMarks marks_;
  State state_ = State::outside;
  int left_;
  int waited_ = 0;               // tokens for the end of a character
  size_t n_matched_ = 0;         // of the mark that ends the state
  std::vector<int32_t> forced_;  // still to be forced, the next one last
};

}  // namespace quern
