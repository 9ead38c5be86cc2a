// Control tokens in stop strings: they have no text in an answer, so a stop that spells them can
// only be found by their ids.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"

namespace quern {

class StopTokens {
 public:
  // Without a tokenizer no stop has tokens.
  explicit StopTokens(const Result<Tokenizer>& tokenizer);

  // By stop: its bytes with every control token it spells as a token, as a template's text would be
  // read (from the left, the longest one); empty where it spells none.
  std::vector<StopSymbols> of(const std::vector<std::string>& stops) const;

 private:
  StopSymbols symbols(std::string_view stop) const;
  // The control token at the beginning of `text`, and its bytes; {-1, 0}: none.
  std::pair<int32_t, size_t> first(std::string_view text) const;

  std::unordered_map<std::string, int32_t> ids_;
  std::set<size_t, std::greater<>> lengths_;
};

}  // namespace quern
