#include "engine/sample/reasoning_budget.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

constexpr int kMaxWaits = 3;  // a character has at most four bytes

// How much of `mark` the text ends with after `id`, when it ended with n_matched of it before.
size_t matched(std::span<const int32_t> mark, size_t n_matched, int32_t id) {
  for (size_t n = n_matched + 1; n > 0; --n) {
    // The last n tokens are mark[n_matched - n + 1, n_matched) and id.
    const auto before = mark.subspan(n_matched + 1 - n, n - 1);
    if (mark[n - 1] == id && std::equal(before.begin(), before.end(), mark.begin())) return n;
  }
  return 0;
}

}  // namespace

ReasoningBudget::ReasoningBudget(ReasoningMarks marks, int budget, bool reasoning)
    : marks_(std::move(marks)), left_(budget) {
  CHECK(!marks_.start.empty() && !marks_.end.empty(), "a mark has at least one token");
  CHECK(budget >= 0, "a budget is a number of tokens");
  if (!reasoning) return;
  state_ = State::counting;
  if (left_ == 0) force();
}

std::optional<int32_t> ReasoningBudget::forced() const {
  if (state_ != State::forcing) return std::nullopt;
  return forced_.back();
}

void ReasoningBudget::accept(int32_t id, bool whole_text) {
  switch (state_) {
    case State::outside:
      n_matched_ = matched(marks_.start, n_matched_, id);
      if (n_matched_ < marks_.start.size()) return;
      state_ = State::counting;
      n_matched_ = 0;
      if (left_ == 0) force();
      return;
    case State::counting:
      n_matched_ = matched(marks_.end, n_matched_, id);
      if (n_matched_ < marks_.end.size()) return count(whole_text);
      break;
    case State::forcing:
      CHECK(id == forced_.back(), "what is forced is what comes");
      forced_.pop_back();
      if (!forced_.empty()) return;
      break;
  }
  state_ = State::outside;
  n_matched_ = 0;
}

void ReasoningBudget::count(bool whole_text) {
  if (left_ > 0) --left_;
  if (left_ > 0) return;
  if (!whole_text && waited_++ < kMaxWaits) return;
  force();
}

void ReasoningBudget::force() {
  state_ = State::forcing;
  // A model that has begun to write the end marker only needs to finish it.
  if (n_matched_ == 0) forced_.assign(marks_.message.rbegin(), marks_.message.rend());
  forced_.insert(forced_.begin(), marks_.end.rbegin(),
                 marks_.end.rend() - static_cast<std::ptrdiff_t>(n_matched_));
  waited_ = 0;
}

}  // namespace quern
