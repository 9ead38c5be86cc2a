#include "engine/sample/passes.h"

#include <limits>

#include "base/check.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr size_t kLanes = 16;  // running results side by side: the compiler may not reorder one

// Loop by loop, as the compiler makes vectors of them: a choice beside the rest becomes a branch.
float block_weight(std::span<const float> x, float top) {
  float weights[kBlock] = {};
  const size_t n = x.size();
  for (size_t i = 0; i < n; ++i) weights[i] = clamp_exponent(x[i] - top);
  for (size_t i = 0; i < n; ++i) weights[i] = exp_in_range(weights[i]) - kExponentFloor;
  float lanes[kLanes] = {};
  for (size_t i = 0; i < kBlock; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += weights[i + j];
  }
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

uint32_t word(std::span<const uint32_t> bits, size_t i) { return bits.empty() ? ~0u : bits[i]; }

}  // namespace

float largest(std::span<const float> x) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -kInf);
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  for (; i < x.size(); ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return *std::max_element(lanes, lanes + kLanes);
}

double total_weight(std::span<const float> logits, float top, std::vector<double>& block_totals) {
  block_totals.clear();
  double total = 0;
  for (size_t first = 0; first < logits.size(); first += kBlock) {
    const size_t n = std::min(kBlock, logits.size() - first);
    block_totals.push_back(block_weight(logits.subspan(first, n), top));
    total += block_totals.back();
  }
  return total;
}

void find_block_tops(std::span<const float> logits, std::vector<float>& tops) {
  tops.clear();
  for (size_t first = 0; first < logits.size(); first += kBlock)
    tops.push_back(largest(logits.subspan(first, std::min(kBlock, logits.size() - first))));
}

void scale(std::span<float> logits, float top, float temperature) {
  for (float& logit : logits) logit = (logit - top) / temperature;
}

void forbid(std::span<float> logits, std::span<const uint32_t> allowed,
            std::span<const uint32_t> also_allowed) {
  if (allowed.empty() && also_allowed.empty()) return;
  const size_t n_words = (logits.size() + 31) / 32;
  CHECK(allowed.empty() || allowed.size() >= n_words, "a mask has a bit for every token");
  CHECK(also_allowed.empty() || also_allowed.size() >= n_words, "a mask has a bit for every token");
  for (size_t w = 0; w < n_words; ++w) {
    const uint32_t bits = word(allowed, w) & word(also_allowed, w);
    if (bits == ~0u) continue;
    const size_t n = std::min<size_t>(32, logits.size() - 32 * w);
    for (size_t i = 0; i < n; ++i) {
      float& logit = logits[32 * w + i];
      logit = (bits >> i & 1) != 0 ? logit : -kInf;
    }
  }
}

}  // namespace quern
