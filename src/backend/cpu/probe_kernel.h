// The probes, once over the vector vocabulary.
#pragma once
#include "backend/cpu/probe.h"
#include "backend/cpu/simd/bf16_pairs.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

template <class V>
int64_t probe_int8_dots(int64_t rounds) {
  alignas(64) uint8_t line[64];
  for (int i = 0; i < 64; ++i) line[i] = static_cast<uint8_t>(i);
  int32_t four = 0x01020304;
  typename V::I32x16 sum[V::kProbeChains];
  QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = V::fill_i32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(four), "+m"(line));  // else all but one round could be dropped
    const auto w = V::small(V::load_i32(line));
    const auto a = V::broadcast_i32(&four);
    QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = V::dot(sum[i], w, a);
  }
  QUERN_UNROLL for (int i = 1; i < V::kProbeChains; ++i) sum[0] = V::add(sum[0], sum[i]);
  four = V::total(sum[0]);
  asm volatile("" : "+m"(four));
  return rounds * V::kProbeChains * 2 * 64;
}

template <class V>
int64_t probe_f32_fmas(int64_t rounds) {
  float x = 0.5f;
  typename V::F32x16 sum[V::kProbeChains];
  QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = V::fill(0.0f);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(x));
    const auto a = V::fill(x);
    QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = V::fma(a, a, sum[i]);
  }
  QUERN_UNROLL for (int i = 1; i < V::kProbeChains; ++i) sum[0] = V::add(sum[0], sum[i]);
  x = V::total(sum[0]);
  asm volatile("" : "+m"(x));
  return rounds * V::kProbeChains * 2 * 16;
}

// For sets whose dot product of bf16 pairs is one instruction.
template <class V>
int64_t probe_bf16_dots(int64_t rounds) {
  using Pairs = Bf16Pairs<V>;
  alignas(64) uint16_t line[32];
  for (uint16_t& x : line) x = 0x3f00;  // 0.5
  typename Pairs::Pair pair;
  __builtin_memcpy(&pair, line, sizeof pair);
  typename V::F32x16 sum[V::kProbeChains];
  QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = V::fill(0.0f);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(pair), "+m"(line));
    const auto a = Pairs::load(line);
    QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = Pairs::dot(sum[i], a, pair);
  }
  QUERN_UNROLL for (int i = 1; i < V::kProbeChains; ++i) sum[0] = V::add(sum[0], sum[i]);
  float total = V::total(sum[0]);
  asm volatile("" : "+m"(total));
  return rounds * V::kProbeChains * 2 * 32;
}

template <class V, bool kPrefetch>
int32_t probe_read(const std::byte* data, int64_t n) {
  constexpr int kLines = 16;
  typename V::I32x16 sum = V::fill_i32(0);
  for (const std::byte* end = data + n; data < end; data += 64 * kLines) {
    QUERN_UNROLL for (int i = 0; i < kLines; ++i) {
      if constexpr (kPrefetch) V::prefetch_once(data + 8192 + 64 * i);
      sum = V::bit_xor(sum, V::load_i32(data + 64 * i));
    }
  }
  return V::total(sum);
}

}  // namespace quern::cpu
