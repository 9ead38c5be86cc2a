// A 64-bit checksum against damage by accident, as fast as memory is read: four independent chains
// of multiplications whose upper and lower halves are folded together. It is not cryptographic.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace quern {

inline uint64_t checksum(std::span<const std::byte> bytes) {
  // Odd numbers with about as many ones as zeros, from the fractional parts of square roots of
  // primes.
  constexpr uint64_t kStart[] = {0x6a09e667f3bcc909, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                 0xa54ff53a5f1d36f1};
  constexpr uint64_t kFactor = 0x9b05688c2b3e6c1f;
  constexpr size_t kLanes = 4, kStep = kLanes * sizeof(uint64_t);
  uint64_t lanes[kLanes] = {kStart[0], kStart[1], kStart[2], kStart[3]};
  const auto fold = [](uint64_t x) {
    const auto product = static_cast<unsigned __int128>(x) * kFactor;
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  };
  const auto mix = [&](const std::byte* from) {
    for (size_t i = 0; i < kLanes; ++i) {
      uint64_t word;
      std::memcpy(&word, from + i * sizeof word, sizeof word);
      lanes[i] = fold(lanes[i] ^ word);
    }
  };
  size_t at = 0;
  for (; at + kStep <= bytes.size(); at += kStep) mix(bytes.data() + at);
  if (at < bytes.size()) {
    std::byte rest[kStep] = {};
    std::memcpy(rest, bytes.data() + at, bytes.size() - at);
    mix(rest);
  }
  uint64_t all = bytes.size() * kFactor;
  for (const uint64_t lane : lanes) all = fold(all ^ lane);
  return all;
}

}  // namespace quern
