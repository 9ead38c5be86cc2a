// Passes over a whole vocabulary's logits, written so that the compiler makes vectors of them. All
// sums have a fixed order and the exponential is our own: the same bits on every machine, whatever
// its vectors and its libm. NaN counts as -infinity everywhere.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

constexpr size_t kBlock = 256;  // logits looked at together

constexpr float kLowestExponent = -87;  // 2^n stays a normal number

// e^x for kLowestExponent <= x <= 0, to two units in the last place.
// e^x = 2^n e^r, n = round(x / ln 2), |r| <= 0.35: Taylor's series up to r^7, whose rest is 5e-9.
constexpr float exp_in_range(float x) {
  constexpr float kRound = 12582912.f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.f / 5040;
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  p = p * r + 1;
  p = p * r + 1;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) +
                              (std::bit_cast<uint32_t>(shifted) << 23));
}

constexpr float kExponentFloor = exp_in_range(kLowestExponent);

inline float clamp_exponent(float x) { return x > kLowestExponent ? x : kLowestExponent; }

// The same for all x <= 0: 0 from kLowestExponent down and for NaN, by a subtraction that is
// nothing above -70.
inline float exp_weight(float x) { return exp_in_range(clamp_exponent(x)) - kExponentFloor; }

// The largest; -infinity where there is none.
float largest(std::span<const float> logits);

// Sum of exp_weight(logit - top). block_totals: one sum per kBlock logits, as many as there are.
double total_weight(std::span<const float> logits, float top, std::vector<double>& block_totals);

// logit <- (logit - top) / temperature
void scale(std::span<float> logits, float top, float temperature);

// Sets the logits to -infinity whose bit in `allowed` is 0 (bit i % 32 of word i / 32). Either of
// the two may be empty: then it allows all.
void forbid(std::span<float> logits, std::span<const uint32_t> allowed,
            std::span<const uint32_t> also_allowed);

// The largest of each kBlock logits. What looks for the best few then reads few of the others.
void find_block_tops(std::span<const float> logits, std::vector<float>& tops);

// Calls visit(first, block) for blocks of `logits` in order, skipping those without an element
// above threshold(): nearly all of them once the threshold is that of the best few.
template <class Threshold, class Visit>
void for_blocks_above(std::span<const float> logits, std::span<const float> tops,
                      Threshold threshold, Visit visit) {
  for (size_t b = 0; b < tops.size(); ++b) {
    if (!(tops[b] > threshold())) continue;
    const size_t first = b * kBlock;
    visit(first, logits.subspan(first, std::min(kBlock, logits.size() - first)));
  }
}

}  // namespace quern
