// Every function of the vector vocabulary once, for simd_test.cc: results as vectors of 16 words.
#pragma once
#include <cstdint>

#include "backend/cpu/simd/inline.h"
#include "backend/cpu/simd/math.h"

namespace quern::cpu {

inline constexpr int kExercises = 46;

// a, b: 48 floats each. out: kExercises * 16 words.
template <class V>
void exercise(const float* a, const float* b, int32_t* out) {
  using F = typename V::F32x16;
  using I = typename V::I32x16;
  const F x = V::load(a), y = V::load(b), z = V::load(b + 16);
  const I i = V::as_int(x), j = V::as_int(y);
  const auto ints = [&](I v) { V::store_i32(out, v), out += 16; };
  const auto floats = [&](F v) { ints(V::as_int(v)); };
  alignas(64) uint16_t half[16];
  alignas(64) float part[16] = {};
  int8_t bytes[16];
  floats(V::add(x, y)), floats(V::sub(x, y)), floats(V::mul(x, y)), floats(V::div(x, y));
  floats(V::fma(x, y, z)), floats(V::max(x, y)), floats(V::min(x, y)), floats(V::abs(x));
  ints(V::add(i, j)), ints(V::sub(i, j)), ints(V::max(i, j)), ints(V::min(i, j));
  ints(V::bit_and(i, j)), ints(V::bit_or(i, j)), ints(V::bit_xor(i, j));
  ints(V::template shift_left<5>(i)), ints(V::template shift_right<5>(i));
  ints(V::template shift_right_signed<5>(i));
  ints(V::shift_left_by(i, 3)), ints(V::shift_right_by(i, 3));
  ints(V::round_to_int(x)), floats(V::to_float(i));
  floats(V::select(V::less(x, y), x, z)), floats(V::select(V::less(i, j), x, z));
  floats(V::select(V::first(5), x, z)), floats(V::select(V::first(16), x, z));
  floats(V::fill(V::total(x))), ints(V::fill_i32(V::total(i))), floats(V::fill(V::largest(x)));
  V::store_f16(half, x), floats(V::load_f16(half));
  V::store_bf16(half, x), floats(V::load_bf16(half));
  V::store_i8(bytes, i), ints(V::load_i8(bytes));
  ints(V::broadcast_i32(a + 3)), ints(V::load_i32(a + 7));
  ints(V::fill_i32(V::any(V::less(x, y)))), ints(V::fill_i32(V::any(V::first(0))));
  floats(V::load_part(a, 11)), floats(V::load_part(a, 0));
  V::store_part(part, 9, x), floats(V::load(part));
  floats(exp<V>(y)), floats(silu<V>(y));
  alignas(64) uint8_t line[64];
  for (int k = 0; k < 64; ++k) line[k] = static_cast<uint8_t>(reinterpret_cast<const char*>(a)[k]);
  const I four = V::fill_i32(0x7f81037f);
  const I codes = V::load_i32(line);
  const I seven = V::bit_and(codes, V::fill_i32(0x7f7f7f7f));
  ints(V::dot(i, V::small(seven), four));
  alignas(64) uint8_t table[64], small_table[64];
  for (int k = 0; k < 64; ++k) table[k] = static_cast<uint8_t>(37 * k + 11);
  for (int k = 0; k < 64; ++k) small_table[k] = table[k % 16];
  ints(V::look_up_16(V::load_i32(small_table), V::bit_and(codes, V::fill_i32(0x0f0f0f0f))));
  ints(V::look_up_64(table, codes)), ints(V::where_top_two(codes, i, j));
  // What dot() counts less than the code itself: kByteZero times the activations' sum, 127 + 3 -
  // 127 + 127 = 130.
  ints(V::sub(V::dot(i, V::bytes(line), four), V::fill_i32(-V::kByteZero * 130)));
}

// False where this build has no such instruction set; call only where the processor has it.
bool exercise_avx2(const float* a, const float* b, int32_t* out);
bool exercise_avxvnni(const float* a, const float* b, int32_t* out);
bool exercise_avx512vnni(const float* a, const float* b, int32_t* out);
bool exercise_neon(const float* a, const float* b, int32_t* out);
bool exercise_dotprod(const float* a, const float* b, int32_t* out);
bool exercise_i8mm(const float* a, const float* b, int32_t* out);
bool exercise_wasm128(const float* a, const float* b, int32_t* out);

}  // namespace quern::cpu
