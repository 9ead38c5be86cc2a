#include "engine/sample/choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/check.h"
#include "engine/sample/passes.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

void best_of(std::span<const float> logits, std::span<const float> tops, size_t k,
             std::vector<float>& some_tops, std::vector<Candidate>& best) {
  best.clear();
  if (k == 0) return;
  float threshold = -kInf;
  if (tops.size() >= k) {  // k blocks have a token of at least the k-th best of their tops
    some_tops.assign(tops.begin(), tops.end());
    std::nth_element(some_tops.begin(), some_tops.begin() + (k - 1), some_tops.end(),
                     std::greater<>());
    threshold = std::nextafter(some_tops[k - 1], -kInf);
  }
  const auto keep_k = [&] {
    if (best.size() <= k) return;
    std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), before);
    best.resize(k);
    threshold = best.back().logit;  // later ones of equal logit have larger ids: they lose
  };
  for_blocks_above(
      logits, tops, [&] { return threshold; },
      [&](size_t first, std::span<const float> block) {
        for (size_t i = 0; i < block.size(); ++i) {
          if (block[i] > threshold) best.push_back({static_cast<int32_t>(first + i), block[i]});
        }
        if (best.size() >= 2 * k) keep_k();
      });
  keep_k();
  std::sort(best.begin(), best.end(), before);
}

Choice::Choice(std::span<float> logits, ChoiceScratch& scratch)
    : logits_(logits), scratch_(scratch), candidates_(scratch.candidates) {
  candidates_.clear();
}

std::span<float> Choice::change_logits() {
  tops_known_ = false;
  return logits_;
}

std::span<const float> Choice::block_tops() {
  if (!tops_known_) find_block_tops(logits_, scratch_.block_tops);
  tops_known_ = true;
  return scratch_.block_tops;
}

void Choice::gather_all() {
  if (gathered_) return;
  gather_from(-std::numeric_limits<float>::max());
}

void Choice::gather_best(size_t k) {
  CHECK(!gathered_, "the best are gathered from all tokens");
  best_of(logits_, block_tops(), k, scratch_.some_tops, candidates_);
  gathered_ = sorted_ = true;
}

void Choice::gather_from(float floor) {
  candidates_.clear();
  const float below = std::nextafter(floor, -kInf);
  for_blocks_above(
      logits_, block_tops(), [&] { return below; },
      [&](size_t first, std::span<const float> block) {
        for (size_t i = 0; i < block.size(); ++i) {
          if (block[i] > below) candidates_.push_back({static_cast<int32_t>(first + i), block[i]});
        }
      });
  gathered_ = true;
}

float Choice::top() {
  if (!gathered_) return largest(block_tops());
  if (candidates_.empty()) return -kInf;
  if (sorted_) return candidates_.front().logit;
  return std::min_element(candidates_.begin(), candidates_.end(), before)->logit;
}

double Choice::total(float top) {
  if (!gathered_) return total_weight(logits_, top, scratch_.block_totals);
  double total = 0;
  for (const Candidate& c : candidates_) total += exp_weight(c.logit - top);
  return total;
}

void Choice::sort(size_t n) {
  gather_all();
  if (sorted_) return;
  n = std::min(n, candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + n, candidates_.end(), before);
  sorted_ = n == candidates_.size();
}

Candidate Choice::draw(double u) {
  const float highest = top();
  double left = u * total(highest);
  if (!gathered_) return draw_ungathered(left, highest);
  for (const Candidate& c : candidates_) {
    left -= exp_weight(c.logit - highest);
    if (left < 0) return c;
  }
  return candidates_.back();  // rounding ate the last bit
}

Candidate Choice::draw_ungathered(double left, float top) const {
  // A block that holds weight, so that rounding never ends at a token that cannot be.
  const std::vector<double>& totals = scratch_.block_totals;
  size_t block = 0;
  for (size_t b = 0; b < totals.size(); ++b) {
    if (totals[b] <= 0) continue;
    block = b;
    if (left < totals[b]) break;
    left -= totals[b];
  }
  Candidate chosen{-1, -kInf};
  const size_t end = std::min(logits_.size(), (block + 1) * kBlock);
  for (size_t i = block * kBlock; i < end; ++i) {
    const float weight = exp_weight(logits_[i] - top);
    if (weight <= 0) continue;
    chosen = {static_cast<int32_t>(i), logits_[i]};
    left -= weight;
    if (left < 0) break;
  }
  return chosen;
}

}  // namespace quern
