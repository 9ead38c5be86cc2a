// Tiles: eight registers of 16 rows x 64 bytes, and the products of two of them added to a third.
// Included by files compiled for AMX only. A thread configures its tiles before use and releases
// them after, so that the system need not keep their 8 KB at every switch.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// Written in assembly: compilers may move plain memory accesses across the intrinsics of the same
// name (GCC 12), which name no memory.
struct Tiles {
  static constexpr int kRows = 16, kBytes = 64;  // of every register

  // All registers full size, contents undefined.
  QUERN_SIMD void configure() { configure_rows(kRows); }
  // Registers 0 to 5 have n rows (1 to 16), for sums and left operands; 6 and 7 are full size.
  QUERN_SIMD void configure_rows(int n) {
    const auto r = static_cast<uint8_t>(n);
    const struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {kBytes, kBytes, kBytes, kBytes, kBytes, kBytes, kBytes, kBytes};
      uint8_t rows[16];
    } config = {.rows = {r, r, r, r, r, r, kRows, kRows}};
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  // For int8 products over k inputs (4 to 64): registers 0 and 1 are sums of n rows, 4 and 5 left
  // operands of k bytes a row, 6 and 7 right operands of k / 4 lines.
  QUERN_SIMD void configure_int8(int n, int k) {
    const auto r = static_cast<uint8_t>(n), lines = static_cast<uint8_t>(k / 4);
    const auto bytes = static_cast<uint16_t>(k);
    const struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16];
      uint8_t rows[16];
    } config = {.row_bytes = {kBytes, kBytes, 0, 0, bytes, bytes, kBytes, kBytes},
                .rows = {r, r, 0, 0, r, r, lines, lines}};
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  QUERN_SIMD void release() { asm volatile("tilerelease" : : : "memory"); }

  template <int kTile>
  QUERN_SIMD void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>  // stride: bytes from row to row
  QUERN_SIMD void load(const void* p, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  QUERN_SIMD void store(void* p, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  // sum (16 rows x 16 f32) += rows (16 x 32 bf16) * columns (16 pairs x 16 x 2 bf16). Subnormal
  // numbers count as zero.
  template <int kSum, int kRowsTile, int kColumns>
  QUERN_SIMD void add_bf16_product() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kRowsTile), "i"(kColumns));
  }
  // The same of signed bytes: sum (n rows x 16 int32) += rows (n x k) * columns (k / 4 fours x 16 x
  // 4).
  template <int kSum, int kRowsTile, int kColumns>
  QUERN_SIMD void add_int8_product() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kRowsTile), "i"(kColumns));
  }
};

}  // namespace quern::cpu
