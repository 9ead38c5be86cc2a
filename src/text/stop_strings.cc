#include "text/stop_strings.h"

#include <utility>

#include "base/check.h"

namespace quern {

StopStrings::StopStrings(const std::vector<std::string>& stops) : nodes_(1) {
  for (size_t i = 0; i < stops.size(); ++i) {
    add(stops[i], static_cast<int32_t>(i));
    lengths_.push_back(stops[i].size());
  }
  link();
}

void StopStrings::add(const std::string& stop, int32_t index) {
  if (stop.empty()) return;
  int32_t node = 0;
  for (char byte : stop) {
    const auto found = nodes_[node].next.find(byte);
    if (found != nodes_[node].next.end()) {
      node = found->second;
      continue;
    }
    CHECK(nodes_.size() < INT32_MAX, "stop strings longer than 2 GiB: the caller bounds them");
    const auto created = static_cast<int32_t>(nodes_.size());
    nodes_[node].next.emplace(byte, created);
    nodes_.push_back({.next = {}, .fallback = 0, .depth = nodes_[node].depth + 1, .stop = -1});
    node = created;
  }
  if (nodes_[node].stop < 0) nodes_[node].stop = index;  // of equal strings the first one counts
}

// Breadth first, so that a node's fallback, which is shorter, is finished before it is used.
void StopStrings::link() {
  std::vector<int32_t> queue = {0};
  for (size_t i = 0; i < queue.size(); ++i) {
    const int32_t node = queue[i];
    for (const auto& [byte, child] : nodes_[node].next) {
      nodes_[child].fallback = node == 0 ? 0 : advance(nodes_[node].fallback, byte);
      if (nodes_[child].stop < 0) nodes_[child].stop = nodes_[nodes_[child].fallback].stop;
      queue.push_back(child);
    }
  }
}

int32_t StopStrings::advance(int32_t node, char byte) const {
  for (;; node = nodes_[node].fallback) {
    const auto found = nodes_[node].next.find(byte);
    if (found != nodes_[node].next.end()) return found->second;
    if (node == 0) return 0;
  }
}

StopStrings::Step StopStrings::push(std::string_view text) {
  Step step;
  if (stopped_) return step;
  for (char byte : text) {
    state_ = advance(state_, byte);
    held_.push_back(byte);
    const Node& node = nodes_[state_];
    if (node.stop >= 0) {
      step.stop = static_cast<size_t>(node.stop);
      held_.resize(held_.size() - lengths_[*step.stop]);
      step.text += std::exchange(held_, {});
      state_ = 0;
      stopped_ = true;
      return step;
    }
    const size_t free_bytes = held_.size() - static_cast<size_t>(node.depth);
    step.text.append(held_, 0, free_bytes);
    held_.erase(0, free_bytes);
  }
  return step;
}

std::string StopStrings::flush() {
  state_ = 0;
  stopped_ = false;
  return std::exchange(held_, {});
}

}  // namespace quern
