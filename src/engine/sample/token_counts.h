// A number per token of the vocabulary, nearly all zero: set for those that occur, cleared in the
// time it took to set them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

class TokenCounts {
 public:
  // Starts anew over a vocabulary of this size. Costs memory only where it grew.
  void reset(size_t n_vocab) {
    for (const int32_t id : touched_) counts_[id] = 0;
    touched_.clear();
    if (counts_.size() < n_vocab) counts_.resize(n_vocab);
  }
  // The number may be raised, not lowered.
  int32_t& raise(int32_t id) {
    if (counts_[id] == 0) touched_.push_back(id);
    return counts_[id];
  }
  int32_t operator[](int32_t id) const { return counts_[id]; }
  std::span<const int32_t> touched() const { return touched_; }  // in the order they were set

 private:
  std::vector<int32_t> counts_;
  std::vector<int32_t> touched_;
};

}  // namespace quern
