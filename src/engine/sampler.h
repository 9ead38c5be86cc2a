// From logits to a token: a chain of filters, then one draw. A pure function of its arguments, so a
// request's tokens do not depend on who shares its batch, nor on being preempted.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern {

// Errors: invalid_argument, naming the field and its range; NaN and infinity are outside all.
Result<> check_options(const SamplingOptions& options);

struct Candidate {
  int32_t id;
  float logit;
};

// Memory kept between calls, so that a token costs no allocation. One per thread.
struct SampleScratch {
  std::vector<Candidate> candidates;
  std::vector<int32_t> window;
};

// The chain is penalties, top_k, top_p, min_p, temperature, draw: llama.cpp's order. At temperature
// 0 it is penalties, then the largest logit, the smallest id of equal ones.
// logits: (n_vocab), changed by the penalties. history: prompt and generated tokens, what the
// penalties look back on. n_drawn: tokens generated so far, the counter of the random numbers.
// options have passed check_options. Errors: corrupt (no finite logit: damaged weights).
Result<int32_t> sample(const SamplingOptions& options, std::span<float> logits,
                       std::span<const int32_t> history, uint64_t n_drawn, SampleScratch& scratch);

// Uniform in [0, 1), the n-th of `seed`: SplitMix64 (Steele, Lea, Flood 2014) by counter, started
// at the mixed seed so that neighbouring seeds have nothing in common.
double uniform(uint64_t seed, uint64_t n);

}  // namespace quern
