// Loops that do nothing but what is measured (limits.h).
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern::cpu {

// One table per ISA.
struct ProbeKernels {
  // Independent dot products of bytes, or fused multiply-adds, on registers; both return the
  // operations done, two per product.
  int64_t (*int8_dots)(int64_t rounds);
  int64_t (*f32_fmas)(int64_t rounds);
  // Reads n bytes (a multiple of 1024, aligned to 64) once, in order; returns a sum of them. The
  // first is for bytes that come from memory and need not stay in the caches, the second for bytes
  // that lie in one.
  int32_t (*read)(const std::byte* data, int64_t n);
  int32_t (*read_cached)(const std::byte* data, int64_t n);
  // Dot products of bf16 pairs, as above; null where that takes several instructions.
  int64_t (*bf16_dots)(int64_t rounds) = nullptr;
};

}  // namespace quern::cpu
