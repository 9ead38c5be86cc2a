// NEON with the products of unsigned by signed bytes (FEAT_I8MM): ARM since 2020 (Neoverse V1,
// Cortex-X2, Apple M2). One row of activations takes dot products; two rows take products of small
// matrices, which do twice the work each.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

struct NeonI8mm : Neon {
  struct Bytes {
    uint8x16_t q[4];
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return bytes(load_i32(line)); }
  QUERN_SIMD Bytes bytes(I32x16 codes) {
    return each<Bytes>(QUERN_PART(i) { return vreinterpretq_u8_s32(codes.q[i]); });
  }
  template <class Codes>
  QUERN_SIMD I32x16 dot(I32x16 sum, Codes w, I32x16 four) {
    return each<I32x16>(
        QUERN_PART(i) { return vusdotq_s32(sum.q[i], w.q[i], vreinterpretq_s8_s32(four.q[i])); });
  }

  static constexpr bool kMultipliesPairs = true;
  // 16 outputs x two rows: register i has outputs 2i and 2i + 1, of each the one row and the other.
  struct PairSums {
    int32x4_t q[8];
  };
  QUERN_SIMD PairSums fill_pairs(int32_t one, int32_t other) {
    const int32x2_t both = vset_lane_s32(other, vdup_n_s32(one), 1);
    const int32x4_t v = vcombine_s32(both, both);
    return {{v, v, v, v, v, v, v, v}};
  }
  // Eight activations of two rows.
  using PairCodes = int8x16_t;
  QUERN_SIMD PairCodes pair_codes(const int8_t* one, const int8_t* other) {
    return vcombine_s8(vld1_s8(one), vld1_s8(other));
  }
  // `line`: 128 bytes as interleave_quads leaves them.
  QUERN_SIMD PairSums dot(PairSums sum, const std::byte* line, PairCodes codes) {
    for (int i = 0; i < 8; ++i) sum.q[i] = vusmmlaq_s32(sum.q[i], bytes16(line, i), codes);
    return sum;
  }
  QUERN_SIMD I32x16 one(const PairSums& sum) {
    return each<I32x16>(QUERN_PART(i) { return vuzp1q_s32(sum.q[2 * i], sum.q[2 * i + 1]); });
  }
  QUERN_SIMD I32x16 other(const PairSums& sum) {
    return each<I32x16>(QUERN_PART(i) { return vuzp2q_s32(sum.q[2 * i], sum.q[2 * i + 1]); });
  }
  // Bytes of two quads of 16 outputs, 64 each, to 128 bytes: all eight of output 0, of output 1...
  QUERN_SIMD void interleave_quads(I32x16 first, I32x16 second, std::byte* line) {
    auto* at = reinterpret_cast<int32_t*>(line);
    for (int i = 0; i < 4; ++i, at += 8) {
      vst1q_s32(at, vzip1q_s32(first.q[i], second.q[i]));
      vst1q_s32(at + 4, vzip2q_s32(first.q[i], second.q[i]));
    }
  }
};

}  // namespace quern::cpu
