// Vectors of 16 lanes in four registers of 128 bits: what the vocabularies of NEON and WebAssembly
// share. simd/scalar.h says what each function means.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// A lambda that is always inlined: files compiled for later instruction sets use these headers too,
// and the linker must never take their copy of a function.
#define QUERN_PART(i) [&](int i) __attribute__((always_inline))

// Functions `name` of one or two vectors, made of an operation on registers.
#define QUERN_OF_ONE(Vector, name, A, operation)                      \
  QUERN_SIMD Vector name(A a) {                                       \
    return each<Vector>(QUERN_PART(i) { return operation(a.q[i]); }); \
  }
#define QUERN_OF_TWO(Vector, name, A, operation)                              \
  QUERN_SIMD Vector name(A a, A b) {                                          \
    return each<Vector>(QUERN_PART(i) { return operation(a.q[i], b.q[i]); }); \
  }

// Float, Int and Bits: registers of four lanes.
template <class Float, class Int, class Bits>
struct FourRegisters {
  static constexpr int kLanes = 16;
  static constexpr int kAttentionStrips = 1;
  struct F32x16 {
    Float q[4];  // lanes 0..3, 4..7, 8..11, 12..15
  };
  struct I32x16 {
    Int q[4];
  };
  struct Mask {
    Bits q[4];
  };

  // There are no masked loads, and what lies behind the n floats may not be touched.
  QUERN_SIMD F32x16 load_part(const float* p, int64_t n) {
    F32x16 v = {};
    std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(float));
    return v;
  }
  QUERN_SIMD void store_part(float* p, int64_t n, F32x16 v) {
    std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(float));
  }

  QUERN_SIMD void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
  QUERN_SIMD void prefetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

 protected:
  template <class R, class F>
  QUERN_SIMD R each(F f) {
    return {{f(0), f(1), f(2), f(3)}};
  }
};

}  // namespace quern::cpu
