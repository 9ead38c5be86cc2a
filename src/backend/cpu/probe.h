// The loops that measure the machine's limits (limits.h).
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern::cpu {

// Operations on registers, all independent of each other; returns how many were done, two per
// product. instructions: what it runs, for people; null: none of the kind.
struct OperationProbe {
  int64_t (*run)(int64_t rounds) = nullptr;
  const char* instructions = nullptr;
};

// Reads n bytes (a multiple of 4096, aligned to 64) once; returns a sum of them.
struct ReadProbe {
  int32_t (*run)(const std::byte* data, int64_t n) = nullptr;
  const char* name = nullptr;
};
inline constexpr int kReadProbes = 4;

// One table per ISA: of each kind the instructions that do most in a cycle, whether or not a kernel
// here has use for them.
struct ProbeKernels {
  // Exact dot products of bytes: codes of 7 bits (8, where the instruction has room for them) by
  // signed ones, sums in int32.
  OperationProbe int8;
  // Of codes up to 15, where fewer instructions do for them; null: as int8.
  OperationProbe int4;
  OperationProbe f32;  // fused multiply-adds
  // Dot products of bf16 pairs, and of bytes by tiles; null where there is no instruction.
  OperationProbe bf16;
  OperationProbe int8_tiles;
  // The fastest read loop differs by processor, so all are tried. The first one does not prefetch:
  // it is for bytes in a cache.
  ReadProbe reads[kReadProbes];
};

}  // namespace quern::cpu
