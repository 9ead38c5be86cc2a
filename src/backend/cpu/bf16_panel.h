// Packed weights of any layout to bf16, in the order in which tiles read them.
//
// A step is 32 inputs of a panel: two tiles of 1 KB, one per strip of 16 outputs. Line i of a tile
// holds inputs 2i and 2i + 1 of each output as a pair. A weight is scale * (code - zero) + offset
// in f32, rounded to the nearest bf16, halves away from zero: an addition and a shuffle where the
// instruction that rounds to even takes four times as long. bf16 weights stay as they are.
// Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/float_kernel.h"
#include "backend/cpu/packed_codes.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

inline constexpr int kStepInputs = 32;
inline constexpr int kTileBytes = 1024;
inline constexpr int kStepBytes = 2 * kTileBytes;  // of decoded weights
inline constexpr int kPrefetchAhead = 4096;        // bytes of packed weights

// What turns codes of 16 outputs into f32: fma(scale, 1 + code / 256, offset). Codes are placed as
// mantissas of numbers in [1, 2), which is cheaper than a conversion; the scale is 256 times the
// weights', the offset is less 256 + zero point of them, which is exact for scales of few bits.
struct CodeScale {
  __m512 scale, offset;
};

// Of group g of a unit; `at`: the unit's scales.
QUERN_SIMD CodeScale load_code_scale(const PackedMatrix& w, const Unit& unit,
                                     const UnitScale<Avx512Vnni>& unit_scale, const std::byte* at,
                                     int g, int strip) {
  const int zero = is_wide(w.layout) ? 128 : w.form.zero_point;
  at += g * unit.scale_stride;
  const __m512 scale = read_scale<Avx512Vnni>(w.form, unit_scale, at, strip);
  const __m512 start = Avx512::fill(static_cast<float>(-256 - zero));
  const __m512 times = Avx512::mul(scale, Avx512::fill(256));
  if (!w.form.has_offset) return {times, Avx512::mul(scale, start)};
  const __m512 offset = read_offset<Avx512Vnni>(w.form, unit_scale, at + unit.offsets_at, strip);
  return {times, Avx512::fma(scale, start, offset)};
}

// The codes in byte kByte of every lane, as weights with half a step of bf16 added to the
// magnitude.
template <int kByte>
QUERN_SIMD __m512i decode_byte(__m512i codes, const CodeScale& s) {
  constexpr int kUp = 15 - 8 * kByte;  // to the highest bits of the mantissa
  __m512i placed;
  if constexpr (kUp > 0) {
    placed = _mm512_slli_epi32(codes, kUp);
  } else {
    placed = _mm512_srli_epi32(codes, -kUp);
  }
  constexpr int kAndOr = 0xea;  // (a & b) | c
  const __m512i one = _mm512_set1_epi32(0x3f800000), mask = _mm512_set1_epi32(255 << 15);
  const __m512i bits = _mm512_ternarylogic_epi32(placed, mask, one, kAndOr);
  const __m512 weight = _mm512_fmadd_ps(s.scale, _mm512_castsi512_ps(bits), s.offset);
  return _mm512_add_epi32(_mm512_castps_si512(weight), _mm512_set1_epi32(0x8000));
}

// The upper halves of two vectors as pairs.
QUERN_SIMD __m512i upper_halves(__m512i even, __m512i odd) {
  const __m512i move = _mm512_set4_epi32(0x0f0e0f0e, 0x0b0a0b0a, 0x07060706, 0x03020302);
  return _mm512_mask_shuffle_epi8(odd, 0x3333333333333333, even, move);
}

// Four inputs of 16 outputs to two lines of a tile.
QUERN_SIMD void decode_line(__m512i codes, const CodeScale& s, std::byte* out) {
  const __m512i first = upper_halves(decode_byte<0>(codes, s), decode_byte<1>(codes, s));
  const __m512i second = upper_halves(decode_byte<2>(codes, s), decode_byte<3>(codes, s));
  Avx512::store_i32(out, first);
  Avx512::store_i32(out + kLine, second);
}

// The constants of decoding a matrix, made once per K-block.
struct PanelDecoder {
  const PackedMatrix& w;
  Unit unit;
  CodeTables<Avx512Vnni> tables;
  const std::byte* panel;
  bool unscaled;  // row scales count as 1
};

// Strip `strip` of step kStep of unit u. Every call fetches its share of a unit ahead, scales and
// all: the processor's own prefetching skips them.
template <Layout kLayout, int kStep>
QUERN_SIMD void decode_codes(const PanelDecoder& from, int64_t u, int strip, std::byte* tile) {
  constexpr int kCalls = 2 * unit_inputs(kLayout) / kStepInputs;  // that decode a unit
  const Unit& unit = from.unit;
  const std::byte* at = from.panel + unit.at(u);
  const std::byte* header = from.panel + unit.at(u / 4 * 4) - unit.header_bytes;
  const int64_t share = unit.bytes / kCalls;
  const std::byte* ahead = at + kPrefetchAhead + (2 * kStep + strip) * share;
  for (int64_t i = 0; i < share; i += kLine) Avx512::prefetch(ahead + i);

  auto unit_scale = read_unit_scale<Avx512Vnni>(from.w.form, header, strip);
  if (unit.row_bytes && from.unscaled)
    unit_scale.d = Avx512::fill(1);
  else if (unit.row_bytes)
    unit_scale.d = Avx512::load(reinterpret_cast<const float*>(from.panel) + kStripRows * strip);
  const auto load_scale = [&](int input) {
    return load_code_scale(from.w, unit, unit_scale, at, input / unit.group, strip);
  };
  const std::byte* codes = at + unit.codes_at + kLine * strip;
  CodeScale scale = load_scale(kStepInputs * kStep);
  QUERN_UNROLL for (int j = 0; j < 8; ++j) {
    if (j == 4 && unit.group == 16) scale = load_scale(kStepInputs * kStep + 16);
    const __m512i code = read_quad<Avx512Vnni, kLayout>(codes, from.tables, 8 * kStep + j);
    decode_line(code, scale, tile + 2 * kLine * j);
  }
}

template <Layout kLayout, int kStep = 0>
QUERN_SIMD void decode_step(const PanelDecoder& from, int64_t u, int step, int strip,
                            std::byte* tile) {
  if (step == kStep) return decode_codes<kLayout, kStep>(from, u, strip, tile);
  if constexpr (kStep + 1 < unit_inputs(kLayout) / kStepInputs)
    decode_step<kLayout, kStep + 1>(from, u, step, strip, tile);
}

template <Layout kLayout>
QUERN_SIMD void decode_plain(const std::byte* panel, int64_t n_in, int64_t step, int strip,
                             std::byte* tile) {
  const auto input = [&](int64_t k) {
    const int64_t at = (kPanelRows * k + kStripRows * strip) * weight_bytes(kLayout);
    const __m512 w = k < n_in ? load_weights<Avx512, kLayout>(panel + at) : Avx512::fill(0);
    const int half = kLayout == Layout::bf16 ? 0 : 0x8000;
    return Avx512::add(Avx512::as_int(w), Avx512::fill_i32(half));
  };
  for (int i = 0; i < kStepInputs / 2; ++i) {
    const int64_t k = kStepInputs * step + 2 * i;
    Avx512::prefetch(panel + kPanelRows * k * weight_bytes(kLayout) + kPrefetchAhead);
    Avx512::store_i32(tile + kLine * i, upper_halves(input(k), input(k + 1)));
  }
}

// Steps [first, last) of a panel.
template <Layout kLayout>
[[gnu::noinline]] void decode_steps(const PackedMatrix& w, const std::byte* panel, int64_t first,
                                    int64_t last, bool unscaled, std::byte* out) {
  if constexpr (is_plain(kLayout)) {
    for (int64_t step = first; step < last; ++step) {
      for (int strip = 0; strip < 2; ++strip, out += kTileBytes) {
        decode_plain<kLayout>(panel, w.n_in, step, strip, out);
      }
    }
  } else {
    constexpr int kSteps = unit_inputs(kLayout) / kStepInputs;
    const PanelDecoder from{w, Unit(kLayout, w.form), CodeTables<Avx512Vnni>(w.form), panel,
                            unscaled};
    for (int64_t step = first; step < last; ++step) {
      for (int strip = 0; strip < 2; ++strip, out += kTileBytes) {
        decode_step<kLayout>(from, step / kSteps, static_cast<int>(step % kSteps), strip, out);
      }
    }
  }
}

}  // namespace quern::cpu
