// The probes, once over the vector vocabulary.
//
// All chains of a probe compute the same, and a compiler that sees that computes one of them: the
// rates came out up to twelve times too high that way. So it forgets the operand before every
// operation. tools/check_probe_loops.py counts the instructions that are left, and probe_test.cc
// compares the rates with those of loops written otherwise.
#pragma once
#include "backend/cpu/probe.h"
#include "backend/cpu/simd/bf16_pairs.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// Any register that holds a vector, as assembly constraints call it.
#if defined(__AVX512F__)
#define QUERN_REGISTER "+v"
#elif defined(__x86_64__)
#define QUERN_REGISTER "+x"
#elif defined(__aarch64__)
#define QUERN_REGISTER "+w"
#else  // clang cannot keep a vector of WebAssembly in an operand: by way of the first cache
#define QUERN_REGISTER "+m"
#endif

// Makes the compiler take a vector for changed, at the cost of no instruction.
template <class T>
QUERN_SIMD void forget(T& v) {
  if constexpr (requires { v.low; }) {
    forget(v.low), forget(v.high);
  } else if constexpr (requires { v.q; }) {
    QUERN_UNROLL for (auto& part : v.q) forget(part);
  } else if constexpr (requires { v.lane; }) {
    asm volatile("" : "+m"(v));  // plain C++ has no registers
  } else {
    asm volatile("" : QUERN_REGISTER(v));
  }
}

// chains * operations(sum, ...) a round: step(sum) is one operation on one chain.
template <class V, class Sum, class F>
QUERN_SIMD void run_chains(int64_t rounds, Sum start, F step) {
  Sum sum[V::kProbeChains];
  QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) sum[i] = start;
  for (int64_t r = 0; r < rounds; ++r) {
    QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) step(sum[i]);
  }
  QUERN_UNROLL for (int i = 0; i < V::kProbeChains; ++i) forget(sum[i]);
}
#define QUERN_STEP [&](auto& sum) __attribute__((always_inline))

template <class V>
int64_t probe_int8_dots(int64_t rounds) {
  alignas(64) uint8_t line[64];
  for (int i = 0; i < 64; ++i) line[i] = static_cast<uint8_t>(i);
  const auto w = V::small(V::load_i32(line));
  auto a = V::fill_i32(0x01020304);
  run_chains<V>(
      rounds, V::fill_i32(0), QUERN_STEP { forget(a), sum = V::dot(sum, w, a); });
  return rounds * V::kProbeChains * 2 * 64;
}

template <class V>
int64_t probe_f32_fmas(int64_t rounds) {
  auto a = V::fill(0.5f);
  run_chains<V>(
      rounds, V::fill(0.0f), QUERN_STEP { forget(a), sum = V::fma(a, a, sum); });
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
  auto a = Pairs::load(line);
  run_chains<V>(
      rounds, V::fill(0.0f), QUERN_STEP { forget(a), sum = Pairs::dot(sum, a, pair); });
  return rounds * V::kProbeChains * 2 * 32;
}

// Prefetches of each read loop.
enum class Ahead : uint8_t { nothing, once, near };

// n bytes as kStreams runs beside each other, each in order.
template <class V, Ahead kAhead, int kStreams>
int32_t probe_read(const std::byte* data, int64_t n) {
  constexpr int kLines = 16 / kStreams, kFar = 8192;
  typename V::I32x16 sum = V::fill_i32(0);
  const int64_t part = n / kStreams;
  for (int64_t at = 0; at < part; at += 64 * kLines) {
    QUERN_UNROLL for (int s = 0; s < kStreams; ++s) {
      QUERN_UNROLL for (int i = 0; i < kLines; ++i) {
        const std::byte* line = data + s * part + at + 64 * i;
        if constexpr (kAhead == Ahead::once) V::prefetch_once(line + kFar);
        if constexpr (kAhead == Ahead::near) V::prefetch(line + kFar);
        sum = V::bit_xor(sum, V::load_i32(line));
      }
    }
  }
  return V::total(sum);
}

}  // namespace quern::cpu
