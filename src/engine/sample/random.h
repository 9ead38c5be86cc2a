// Random numbers by counter: the n-th of a seed is a pure function of both, so a request's tokens
// depend neither on the rest of its batch nor on what was computed twice.
#pragma once
#include <cstdint>

namespace quern {

// `seed` itself, or a new one for kRandomSeed: below 2^53, so exact in any JSON reader.
uint64_t drawn_seed(uint64_t seed);

// Uniform in [0, 1), the n-th of `seed`: SplitMix64 (Steele, Lea, Flood 2014) by counter, started
// at the mixed seed so that neighbouring seeds give unrelated numbers.
double uniform(uint64_t seed, uint64_t n);

// A seed whose numbers are independent of those of `seed`, for a second decision about the same
// token.
uint64_t second_seed(uint64_t seed);

}  // namespace quern
