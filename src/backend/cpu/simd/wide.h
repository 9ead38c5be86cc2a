// Vectors of f64 for the exact path, over any vocabulary: 8 lanes in as many registers as the
// machine needs. The compilers' own vector types have most of the operations; V has fma_f64, which
// they lack, and widen_f64, which GCC 12 puts together from halves. Every function gives the same
// bits on every V.
#pragma once
#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// Registers of 2, 4 or 8 lanes, and integers of the same size.
template <int kLanes>
struct F64Registers;
#define QUERN_F64_REGISTERS(lanes)                               \
  template <>                                                    \
  struct F64Registers<lanes> {                                   \
    typedef double F64 __attribute__((vector_size(8 * lanes)));  \
    typedef int64_t I64 __attribute__((vector_size(8 * lanes))); \
  };
QUERN_F64_REGISTERS(2)
QUERN_F64_REGISTERS(4)
QUERN_F64_REGISTERS(8)
#undef QUERN_F64_REGISTERS

// A lambda that is always inlined (simd/four_registers.h says why).
#define QUERN_WIDE_PART(i) [&](int i) __attribute__((always_inline))

template <class V>
struct Wide {
  static constexpr int kLanes = 8, kPer = V::kF64Lanes, kRegisters = kLanes / kPer;
  using F64 = typename F64Registers<kPer>::F64;
  using I64 = typename F64Registers<kPer>::I64;
  struct F64x8 {
    F64 q[kRegisters];
  };

  // Memory need not be aligned.
  QUERN_SIMD F64x8 load(const double* p) {
    return each(QUERN_WIDE_PART(i) { return read<F64>(p + kPer * i); });
  }
  QUERN_SIMD void store(double* p, F64x8 v) {
    for (int i = 0; i < kRegisters; ++i) std::memcpy(p + kPer * i, &v.q[i], sizeof(F64));
  }
  // 8 f32, which f64 holds exactly.
  QUERN_SIMD F64x8 widen(const float* p) {
    return each(QUERN_WIDE_PART(i) { return (F64)V::widen_f64(p + kPer * i); });
  }
  // The first n lanes, 0 <= n <= 8: the rest is 0, or not written.
  QUERN_SIMD F64x8 load_part(const double* p, int64_t n) {
    double lanes[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  QUERN_SIMD void store_part(double* p, int64_t n, F64x8 v) {
    double lanes[kLanes];
    store(lanes, v);
    for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
  QUERN_SIMD F64x8 fill(double x) {
    return each(QUERN_WIDE_PART(i) { return every(x); });
  }

  QUERN_SIMD F64x8 add(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return a.q[i] + b.q[i]; });
  }
  QUERN_SIMD F64x8 sub(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return a.q[i] - b.q[i]; });
  }
  QUERN_SIMD F64x8 mul(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return a.q[i] * b.q[i]; });
  }
  QUERN_SIMD F64x8 div(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return a.q[i] / b.q[i]; });
  }
  // a * b + c, rounded once.
  QUERN_SIMD F64x8 fma(F64x8 a, F64x8 b, F64x8 c) {
    return each(QUERN_WIDE_PART(i) { return V::fma_f64(a.q[i], b.q[i], c.q[i]); });
  }
  // The second operand where either is NaN or both are zero.
  QUERN_SIMD F64x8 max(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return choose(a.q[i] > b.q[i], a.q[i], b.q[i]); });
  }
  QUERN_SIMD F64x8 min(F64x8 a, F64x8 b) {
    return each(QUERN_WIDE_PART(i) { return choose(a.q[i] < b.q[i], a.q[i], b.q[i]); });
  }
  // x in the lanes [low, high), `other` in the rest.
  QUERN_SIMD F64x8 within(F64x8 x, int low, int high, double other) {
    return each(QUERN_WIDE_PART(i) {
      const I64 lane = lanes_of(i);
      return choose((lane >= low) & (lane < high), x.q[i], every(other));
    });
  }

  // Sum of the lanes: i + (i + 4), then i + (i + 2), i + (i + 1). Largest of them; none is NaN.
  QUERN_SIMD double total(F64x8 a) {
    double lane[kLanes];
    store(lane, a);
    for (int half = 4; half; half /= 2)
      for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    return lane[0];
  }
  QUERN_SIMD double largest(F64x8 a) {
    double lane[kLanes];
    store(lane, a);
    for (int i = 1; i < kLanes; ++i) lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
  }

  // e^x within 2 ulp or so; about 1e-308 below -708, infinity above 709. x = n ln 2 + r with |r| <=
  // ln 2 / 2; e^r by its Taylor series to r^13; times 2^n. NaN gives NaN.
  QUERN_SIMD F64x8 exp(F64x8 x) {
    constexpr double kCoefficients[] = {1.0 / 479001600,
                                        1.0 / 39916800,
                                        1.0 / 3628800,
                                        1.0 / 362880,
                                        1.0 / 40320,
                                        1.0 / 5040,
                                        1.0 / 720,
                                        1.0 / 120,
                                        1.0 / 24,
                                        1.0 / 6,
                                        0.5,
                                        1.0,
                                        1.0};
    const F64x8 bounded = max(fill(-708), min(fill(709), x));  // both give x where it is NaN
    // The sum's last bits are n: 1.5 * 2^52 has steps of 1.
    const F64x8 shifter = fill(0x1.8p52);
    const F64x8 shifted = fma(bounded, fill(0x1.71547652b82fep+0), shifter);
    const F64x8 n = sub(shifted, shifter);
    F64x8 r = fma(n, fill(-0x1.62e42fee00000p-1), bounded);  // ln 2: 33 bits, exact products
    r = fma(n, fill(-0x1.a39ef35793c76p-33), r);             // and the rest
    F64x8 p = fill(1.0 / 6227020800);
    for (const double c : kCoefficients) p = fma(p, r, fill(c));
    return each(QUERN_WIDE_PART(i) {
      const I64 power = ((I64)shifted.q[i] << 52) + (int64_t{1023} << 52);
      const F64 infinity = every(__builtin_inf());
      return choose(x.q[i] > 709, infinity, p.q[i] * (F64)power);
    });
  }

 private:
  template <class T>
  QUERN_SIMD T read(const void* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  template <class F>
  QUERN_SIMD F64x8 each(F f) {
    F64x8 v;
    QUERN_UNROLL for (int i = 0; i < kRegisters; ++i) v.q[i] = f(i);
    return v;
  }
  QUERN_SIMD F64 every(double x) {
    F64 v;
    for (int j = 0; j < kPer; ++j) v[j] = x;
    return v;
  }
  QUERN_SIMD I64 lanes_of(int i) {
    I64 lane;
    for (int j = 0; j < kPer; ++j) lane[j] = kPer * i + j;
    return lane;
  }
  QUERN_SIMD F64 choose(I64 mask, F64 yes, F64 no) { return mask ? yes : no; }
};

}  // namespace quern::cpu
