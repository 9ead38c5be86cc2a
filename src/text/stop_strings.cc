#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quern {

void StopTree::add(const StopSymbols& pattern, size_t index) {
  if (pattern.empty()) return;
  int32_t node = 0;
  for (const int32_t symbol : pattern) {
    if (symbol >= kStopToken) tokens_.insert(symbol - kStopToken);
    const auto found = nodes_[node].next.find(symbol);
    if (found != nodes_[node].next.end()) {
      node = found->second;
      continue;
    }
    CHECK(nodes_.size() < INT32_MAX, "stop strings longer than 2 GiB: the caller bounds them");
    const auto created = static_cast<int32_t>(nodes_.size());
    nodes_[node].next.emplace(symbol, created);
    const int32_t bytes = nodes_[node].bytes + (symbol < kStopToken);
    nodes_.push_back({.next = {}, .fallback = 0, .bytes = bytes, .stop = -1});
    node = created;
  }
  if (nodes_[node].stop >= 0) return;  // of equal strings the first one counts
  nodes_[node].stop = static_cast<int32_t>(patterns_.size());
  patterns_.push_back({index, static_cast<size_t>(nodes_[node].bytes)});
}

// Breadth first, so that a node's fallback, which is shorter, is finished before it is used.
void StopTree::link() {
  std::vector<int32_t> queue = {0};
  for (size_t i = 0; i < queue.size(); ++i) {
    const int32_t node = queue[i];
    for (const auto& [symbol, child] : nodes_[node].next) {
      nodes_[child].fallback = node == 0 ? 0 : next(nodes_[node].fallback, symbol);
      if (nodes_[child].stop < 0) nodes_[child].stop = nodes_[nodes_[child].fallback].stop;
      queue.push_back(child);
    }
  }
}

int32_t StopTree::next(int32_t node, int32_t symbol) const {
  for (;; node = nodes_[node].fallback) {
    const auto found = nodes_[node].next.find(symbol);
    if (found != nodes_[node].next.end()) return found->second;
    if (node == 0) return 0;
  }
}

std::optional<StopTree::Found> StopTree::found() const {
  const int32_t stop = nodes_[state_].stop;
  if (stop < 0) return std::nullopt;
  return Found{patterns_[stop].index, patterns_[stop].bytes};
}

StopStrings::StopStrings(const std::vector<std::string>& stops,
                         const std::vector<StopSymbols>& with_tokens) {
  for (size_t i = 0; i < stops.size(); ++i) {
    StopSymbols bytes;
    for (const char byte : stops[i]) bytes.push_back(static_cast<uint8_t>(byte));
    texts_.add(bytes, i);
  }
  for (size_t i = 0; i < with_tokens.size(); ++i) tokens_.add(with_tokens[i], i);
  texts_.link();
  tokens_.link();
}

// Ends the text if a stop is complete, else releases the text that can no longer become one.
void StopStrings::settle(Step& step) {
  auto found = texts_.found();
  if (const auto other = tokens_.found(); other && (!found || other->bytes > found->bytes))
    found = other;
  if (found) {
    step.stop = found->index;
    held_.resize(held_.size() - found->bytes);
    step.text += std::exchange(held_, {});
    texts_.restart();
    tokens_.restart();
    stopped_ = true;
    return;
  }
  const size_t free_bytes = held_.size() - std::max(texts_.held(), tokens_.held());
  step.text.append(held_, 0, free_bytes);
  held_.erase(0, free_bytes);
}

StopStrings::Step StopStrings::push(std::string_view text) {
  Step step;
  for (const char byte : text) {
    if (stopped_) break;
    texts_.advance(static_cast<uint8_t>(byte));
    if (!tokens_.empty()) tokens_.advance(static_cast<uint8_t>(byte));
    held_.push_back(byte);
    settle(step);
  }
  return step;
}

StopStrings::Step StopStrings::push_token(int32_t id) {
  Step step;
  if (stopped_ || !tokens_.knows(id)) return step;
  tokens_.advance(kStopToken + id);
  settle(step);
  return step;
}

std::string StopStrings::flush() {
  texts_.restart();
  tokens_.restart();
  stopped_ = false;
  return std::exchange(held_, {});
}

}  // namespace quern
