// DRY ("don't repeat yourself", p-e-w 2024): finds how long the end of a text repeats earlier text,
// so that the token that would continue the repetition can be made less likely.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/sample/token_bytes.h"
#include "engine/sample/token_counts.h"

namespace quern {

// Where breakers, which are text, lie in tokens: a breaker may begin in one token and end in a
// later one, however the text was split. Immutable; copies share the bytes.
class DryBreakers {
 public:
  DryBreakers() = default;  // none
  DryBreakers(std::span<const std::string> breakers, std::shared_ptr<const TokenBytes> bytes);

  // How many of the last tokens of `text` follow the breaker that begins last in it, the token
  // that holds its end excluded; text.size() where there is none.
  size_t tokens_after_last(std::span<const int32_t> text) const;

 private:
  // Whether the bytes `rest` are what `text` begins with; n_tokens: that hold them.
  bool begins_with(std::span<const int32_t> text, std::string_view rest, size_t& n_tokens) const;

  std::shared_ptr<const TokenBytes> bytes_;
  std::vector<bool> heads_;  // tokens in which a breaker begins
  // Of these, what of the breaker is still to come; empty: the token holds all of it.
  std::unordered_map<int32_t, std::vector<std::string>> rests_;
};

// Memory kept from token to token.
struct DryScratch {
  std::vector<int32_t> reversed;
  std::vector<int32_t> lengths;
};

// lengths[i]: how many tokens at the end of `text` equal those that end i tokens earlier (lengths
// [0]: all). Linear whatever the text: the Z algorithm on the reversed text. Returns the number of
// comparisons made, at most 2 * text.size().
int64_t suffix_lengths(std::span<const int32_t> text, DryScratch& scratch);

// For every token that has followed an earlier occurrence of the end of `text` of `shortest` tokens
// or more (cut at `longest`): 1 + the length of the longest such end. Tokens that have not stay 0.
void find_repetitions(std::span<const int32_t> text, int shortest, size_t longest,
                      DryScratch& scratch, TokenCounts& found);

}  // namespace quern
