#include "engine/sample/dry.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace quern {

DryBreakers::DryBreakers(std::span<const std::string> breakers,
                         std::shared_ptr<const TokenBytes> bytes)
    : bytes_(std::move(bytes)), heads_(bytes_->n_vocab()) {
  for (int32_t id = 0; id < bytes_->n_vocab(); ++id) {
    const std::string_view token = (*bytes_)[id];
    std::vector<std::string> rests;
    for (const std::string& breaker : breakers) {
      if (token.find(breaker) != token.npos) rests.emplace_back();
      for (size_t n = std::min(token.size(), breaker.size() - 1); n > 0; --n) {
        if (token.ends_with(std::string_view(breaker).substr(0, n)))
          rests.push_back(breaker.substr(n));
      }
    }
    if (rests.empty()) continue;
    heads_[id] = true;
    rests_.emplace(id, std::move(rests));
  }
}

bool DryBreakers::begins_with(std::span<const int32_t> text, std::string_view rest,
                              size_t& n_tokens) const {
  n_tokens = 0;
  while (!rest.empty()) {
    if (n_tokens == text.size()) return false;
    const std::string_view token = (*bytes_)[text[n_tokens++]];
    const size_t n = std::min(token.size(), rest.size());
    if (token.substr(0, n) != rest.substr(0, n)) return false;
    rest.remove_prefix(n);
  }
  return true;
}

size_t DryBreakers::tokens_after_last(std::span<const int32_t> text) const {
  if (heads_.empty()) return text.size();
  for (size_t at = text.size(); at-- > 0;) {
    if (!heads_[text[at]]) continue;
    const auto behind = text.subspan(at + 1);
    size_t fewest = text.size();
    for (const std::string& rest : rests_.at(text[at])) {
      size_t n_tokens = 0;
      if (begins_with(behind, rest, n_tokens)) fewest = std::min(fewest, behind.size() - n_tokens);
    }
    if (fewest < text.size()) return fewest;
  }
  return text.size();
}

int64_t suffix_lengths(std::span<const int32_t> text, DryScratch& scratch) {
  const auto n = static_cast<int32_t>(text.size());
  scratch.reversed.assign(text.rbegin(), text.rend());
  scratch.lengths.assign(n, 0);
  if (n == 0) return 0;
  const std::vector<int32_t>& s = scratch.reversed;
  std::vector<int32_t>& z = scratch.lengths;
  z[0] = n;
  int64_t n_compared = 0;
  // [left, right): the match found so far that reaches farthest.
  for (int32_t i = 1, left = 0, right = 0; i < n; ++i) {
    if (i < right) z[i] = std::min(right - i, z[i - left]);
    if (i + z[i] < right) continue;  // ends inside what is known
    while (i + z[i] < n) {
      ++n_compared;
      if (s[z[i]] != s[i + z[i]]) break;
      ++z[i];
    }
    left = i;
    right = i + z[i];
  }
  return n_compared;
}

void find_repetitions(std::span<const int32_t> text, int shortest, size_t longest,
                      DryScratch& scratch, TokenCounts& found) {
  suffix_lengths(text, scratch);
  const auto most = static_cast<int32_t>(std::min(longest, text.size()));
  for (size_t i = 1; i < text.size(); ++i) {
    const int32_t length = std::min(scratch.lengths[i], most);
    if (length < shortest) continue;
    int32_t& best = found.raise(scratch.reversed[i - 1]);
    best = std::max(best, length + 1);
  }
}

}  // namespace quern
