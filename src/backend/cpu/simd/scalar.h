// The vector vocabulary in plain C++: the specification of every other instruction set.
//
// A kernel is a template over a vocabulary V (Scalar, Avx2, Avx512, ...) and is written once. V has
// logical vectors of 16 lanes whatever the machine's width, and every function gives the same bits
// on every V. There is no contraction: fma is used where it is written and nowhere else.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/inline.h"
#include "base/float16.h"
#include "base/fma.h"

namespace quern::cpu {

struct Scalar {
  static constexpr int kLanes = 16;
  // Attention keeps sums of 4 rows x this many vectors in registers.
  static constexpr int kAttentionStrips = 1;
  struct F32x16 {
    float lane[16];
  };
  struct I32x16 {
    int32_t lane[16];
  };
  struct Mask {
    bool lane[16];
  };

  // Memory need not be aligned, except where a function says so.
  QUERN_SIMD F32x16 load(const float* p) { return read<F32x16>(p); }
  QUERN_SIMD void store(float* p, F32x16 v) { std::memcpy(p, &v, sizeof v); }
  QUERN_SIMD I32x16 load_i32(const void* p) { return read<I32x16>(p); }
  QUERN_SIMD void store_i32(void* p, I32x16 v) { std::memcpy(p, &v, sizeof v); }
  QUERN_SIMD F32x16 load_f16(const uint16_t* p) {
    return each<F32x16>([&](int i) { return f16_to_f32(p[i]); });
  }
  QUERN_SIMD void store_f16(uint16_t* p, F32x16 v) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(v.lane[i]);
  }
  QUERN_SIMD F32x16 load_bf16(const uint16_t* p) {
    return each<F32x16>([&](int i) { return bf16_to_f32(p[i]); });
  }
  QUERN_SIMD void store_bf16(uint16_t* p, F32x16 v) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_bf16(v.lane[i]);
  }
  // 16 bytes, sign-extended; and 16 signed bytes from lanes that fit them.
  QUERN_SIMD I32x16 load_i8(const int8_t* p) {
    return each<I32x16>([&](int i) { return p[i]; });
  }
  QUERN_SIMD void store_i8(int8_t* p, I32x16 v) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(v.lane[i]);
  }

  // The first n lanes, 0 <= n <= 16: the rest is 0, or not written.
  QUERN_SIMD F32x16 load_part(const float* p, int64_t n) {
    return each<F32x16>([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  QUERN_SIMD void store_part(float* p, int64_t n, F32x16 v) {
    for (int i = 0; i < n; ++i) p[i] = v.lane[i];
  }

  QUERN_SIMD F32x16 fill(float x) {
    return each<F32x16>([&](int) { return x; });
  }
  QUERN_SIMD I32x16 fill_i32(int32_t x) {
    return each<I32x16>([&](int) { return x; });
  }
  // The 4 bytes at p in every lane.
  QUERN_SIMD I32x16 broadcast_i32(const void* p) { return fill_i32(read<int32_t>(p)); }

  QUERN_SIMD F32x16 add(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  QUERN_SIMD F32x16 sub(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  QUERN_SIMD F32x16 mul(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  QUERN_SIMD F32x16 div(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  // a * b + c, rounded once.
  QUERN_SIMD F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return each<F32x16>([&](int i) { return fused_multiply_add(a.lane[i], b.lane[i], c.lane[i]); });
  }
  // The same of f64, in registers of kF64Lanes (simd/wide.h), and as many f32 made f64.
  static constexpr int kF64Lanes = 2;
  typedef double F64 __attribute__((vector_size(16)));
  QUERN_SIMD F64 widen_f64(const float* p) { return F64{double{p[0]}, double{p[1]}}; }
  QUERN_SIMD F64 fma_f64(F64 a, F64 b, F64 c) {
    F64 v;
    for (int i = 0; i < kF64Lanes; ++i) v[i] = fused_multiply_add(a[i], b[i], c[i]);
    return v;
  }
  // The second operand where either is NaN or both are zero, as x86 has it.
  QUERN_SIMD F32x16 max(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  QUERN_SIMD F32x16 min(F32x16 a, F32x16 b) {
    return each<F32x16>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  QUERN_SIMD F32x16 abs(F32x16 a) { return as_float(bit_and(as_int(a), fill_i32(0x7fffffff))); }

  QUERN_SIMD I32x16 add(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) + word(b, i)); });
  }
  QUERN_SIMD I32x16 sub(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) - word(b, i)); });
  }
  QUERN_SIMD I32x16 max(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  QUERN_SIMD I32x16 min(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  QUERN_SIMD I32x16 bit_and(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) & word(b, i)); });
  }
  QUERN_SIMD I32x16 bit_or(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) | word(b, i)); });
  }
  QUERN_SIMD I32x16 bit_xor(I32x16 a, I32x16 b) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) ^ word(b, i)); });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_left(I32x16 a) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) << kBits); });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right(I32x16 a) {  // zeros come in
    return each<I32x16>([&](int i) { return wrap(word(a, i) >> kBits); });
  }
  // The same by 0..31 bits that are a constant only to the compiler.
  QUERN_SIMD I32x16 shift_left_by(I32x16 a, int n) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) << n); });
  }
  QUERN_SIMD I32x16 shift_right_by(I32x16 a, int n) {
    return each<I32x16>([&](int i) { return wrap(word(a, i) >> n); });
  }
  template <int kBits>
  QUERN_SIMD I32x16 shift_right_signed(I32x16 a) {
    return each<I32x16>([&](int i) { return a.lane[i] >> kBits; });
  }

  // To nearest, ties to even; what does not fit becomes INT32_MIN.
  QUERN_SIMD I32x16 round_to_int(F32x16 a) {
    return each<I32x16>([&](int i) {
      const bool fits = a.lane[i] >= -0x1p31f && a.lane[i] < 0x1p31f;
      return fits ? static_cast<int32_t>(__builtin_rintf(a.lane[i])) : INT32_MIN;
    });
  }
  QUERN_SIMD F32x16 to_float(I32x16 a) {
    return each<F32x16>([&](int i) { return static_cast<float>(a.lane[i]); });
  }
  // Lane by lane: of a cast of the whole vector GCC 12 loses track on ARM and reads lanes too
  // early.
  QUERN_SIMD I32x16 as_int(F32x16 a) {
    return each<I32x16>([&](int i) { return std::bit_cast<int32_t>(a.lane[i]); });
  }
  QUERN_SIMD F32x16 as_float(I32x16 a) {
    return each<F32x16>([&](int i) { return std::bit_cast<float>(a.lane[i]); });
  }

  // False where either is NaN.
  QUERN_SIMD Mask less(F32x16 a, F32x16 b) {
    return each<Mask>([&](int i) { return a.lane[i] < b.lane[i]; });
  }
  QUERN_SIMD Mask less(I32x16 a, I32x16 b) {
    return each<Mask>([&](int i) { return a.lane[i] < b.lane[i]; });
  }
  QUERN_SIMD F32x16 select(Mask m, F32x16 yes, F32x16 no) {
    return each<F32x16>([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
  }
  QUERN_SIMD bool any(Mask m) {
    bool some = false;
    for (int i = 0; i < 16; ++i) some |= m.lane[i];
    return some;
  }
  // Lanes [0, n).
  QUERN_SIMD Mask first(int n) {
    return each<Mask>([&](int i) { return i < n; });
  }

  // Sum of the lanes: i + (i + 8), then i + (i + 4), i + (i + 2), i + (i + 1).
  QUERN_SIMD float total(F32x16 a) {
    for (int half = 8; half; half /= 2)
      for (int i = 0; i < half; ++i) a.lane[i] += a.lane[i + half];
    return a.lane[0];
  }
  QUERN_SIMD int32_t total(I32x16 a) {
    uint32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += word(a, i);
    return wrap(sum);
  }
  // Largest lane; no lane may be NaN.
  QUERN_SIMD float largest(F32x16 a) {
    for (int half = 8; half; half /= 2)
      for (int i = 0; i < half; ++i)
        a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
    return a.lane[0];
  }

  // Integer dot products: lane i of a line of codes is its bytes 4i..4i+3, and `four` holds 4
  // signed activations (-127..127) in every lane. Lines are aligned to 64 bytes.
  //
  // Bytes hold codes 0..255; dot() counts each as code - kByteZero.
  struct Bytes {
    uint8_t byte[64];
  };
  static constexpr int kByteZero = 0;
  QUERN_SIMD Bytes bytes(const void* line) { return read<Bytes>(line); }
  QUERN_SIMD Bytes bytes(I32x16 codes) { return std::bit_cast<Bytes>(codes); }
  QUERN_SIMD I32x16 dot(I32x16 sum, const Bytes& w, I32x16 four) {
    return dot_bytes(sum, w.byte, four);
  }

  // Small holds codes 0..127.
  struct Small {
    Bytes code;
  };
  QUERN_SIMD Small small(I32x16 codes) { return {bytes(codes)}; }
  QUERN_SIMD I32x16 dot(I32x16 sum, const Small& w, I32x16 four) {
    return dot_bytes(sum, w.code.byte, four);
  }

  // Bytes of a table by the bytes of an index. look_up_16: the table is 16 bytes four times, the
  // index 0..15. look_up_64: the table is aligned to 64, the upper two bits of the index are
  // ignored.
  QUERN_SIMD I32x16 look_up_16(I32x16 table, I32x16 index) {
    const Bytes from = bytes(table);
    return map_bytes(index, [&](uint8_t b, int) { return from.byte[b & 15]; });
  }
  QUERN_SIMD I32x16 look_up_64(const uint8_t* table, I32x16 index) {
    return map_bytes(index, [&](uint8_t b, int) { return table[b & 63]; });
  }
  // Bytes of `yes` where x's byte is 192 or above, else of `no`.
  QUERN_SIMD I32x16 where_top_two(I32x16 x, I32x16 yes, I32x16 no) {
    const Bytes y = bytes(yes), n = bytes(no);
    return map_bytes(x, [&](uint8_t b, int i) { return b >= 192 ? y.byte[i] : n.byte[i]; });
  }

  // Whether there are GEMV and small-M kernels for each layout (small_m_kernel.h).
  static constexpr bool kReadsPacked = false;
  // Whether there are products of two rows of activations at once (expanded_pairs.h; i8mm.h has the
  // functions).
  static constexpr bool kMultipliesPairs = false;
  // Sums that the probes keep: ten registers or more, what 5 cycles of latency need at two
  // instructions a cycle, and no more than there are.
  static constexpr int kProbeChains = 1;
  // Register tiles of the linear kernels: strips of 16 outputs x rows.
  static constexpr int kTileStrips = 1, kTileRows = 2, kFloatTileRows = 2;
  // Of the exact product: vectors of 8 outputs x rows.
  static constexpr int kWideStrips = 1, kWideRows = 2;

  QUERN_SIMD void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
  // For bytes that are read once.
  QUERN_SIMD void prefetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

 private:
  template <class T>
  QUERN_SIMD T read(const void* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  template <class T, class F>
  QUERN_SIMD T each(F f) {
    T v;
    for (int i = 0; i < 16; ++i) v.lane[i] = f(i);
    return v;
  }
  template <class F>
  QUERN_SIMD I32x16 map_bytes(I32x16 x, F f) {
    Bytes v = bytes(x);
    for (int i = 0; i < 64; ++i) v.byte[i] = f(v.byte[i], i);
    return std::bit_cast<I32x16>(v);
  }
  QUERN_SIMD I32x16 dot_bytes(I32x16 sum, const uint8_t (&w)[64], I32x16 four) {
    int8_t a[4];
    std::memcpy(a, &four, sizeof a);
    return each<I32x16>([&](int i) {
      const uint8_t* b = w + 4 * i;
      return sum.lane[i] + b[0] * a[0] + b[1] * a[1] + b[2] * a[2] + b[3] * a[3];
    });
  }
  QUERN_SIMD uint32_t word(const I32x16& a, int i) { return static_cast<uint32_t>(a.lane[i]); }
  QUERN_SIMD int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }
};

}  // namespace quern::cpu
