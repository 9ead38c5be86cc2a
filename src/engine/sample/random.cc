#include "engine/sample/random.h"

#include <random>

#include "quern/sampling.h"

namespace quern {
namespace {

uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t drawn_seed(uint64_t seed) {
  if (seed != kRandomSeed) return seed;
  std::random_device device;
  return static_cast<uint64_t>(device()) << 21 ^ device();
}

double uniform(uint64_t seed, uint64_t n) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const uint64_t bits = mixed(mixed(seed) + (n + 1) * kGolden);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

uint64_t second_seed(uint64_t seed) { return mixed(~seed); }

}  // namespace quern
