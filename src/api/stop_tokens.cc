#include "api/stop_tokens.h"

#include <utility>

namespace quern {
namespace {

constexpr size_t kMaxBytes = 1 << 16;  // of a stop; the engine refuses longer ones

}  // namespace

StopTokens::StopTokens(const Result<Tokenizer>& tokenizer) {
  if (!tokenizer) return;
  for (int32_t id = 0; id < tokenizer->n_vocab(); ++id) {
    if (!tokenizer->is_special(id)) continue;
    std::string text = tokenizer->bytes(id, true);
    if (text.empty()) continue;
    lengths_.insert(text.size());
    ids_.emplace(std::move(text), id);  // of equal texts the first one counts, as in prompts
  }
}

std::pair<int32_t, size_t> StopTokens::first(std::string_view text) const {
  for (const size_t length : lengths_) {
    if (length > text.size()) continue;
    const auto at = ids_.find(std::string(text.substr(0, length)));
    if (at != ids_.end()) return {at->second, length};
  }
  return {-1, 0};
}

StopSymbols StopTokens::symbols(std::string_view stop) const {
  StopSymbols symbols;
  bool any = false;
  while (!stop.empty()) {
    const auto [id, length] = first(stop);
    any |= length > 0;
    symbols.push_back(length > 0 ? kStopToken + id : static_cast<uint8_t>(stop[0]));
    stop.remove_prefix(length > 0 ? length : 1);
  }
  return any ? symbols : StopSymbols();
}

std::vector<StopSymbols> StopTokens::of(const std::vector<std::string>& stops) const {
  std::vector<StopSymbols> all;
  for (const std::string& stop : stops)
    all.push_back(stop.size() > kMaxBytes ? StopSymbols() : symbols(stop));
  return all;
}

}  // namespace quern
