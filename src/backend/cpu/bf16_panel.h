// Packed weights of any layout to bf16, in the order in which tiles read them.
//
// A step is 32 inputs of a panel: two tiles of 1 KB, one per strip of 16 outputs. Line i of a tile
// holds inputs 2i and 2i + 1 of each output as a pair. A weight is scale * (code - zero) + offset
// in f32, rounded to the nearest bf16, halves away from zero: an addition and a shuffle where the
// instruction that rounds to even takes four times as long. bf16 weights stay as they are.
// Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/float_kernel.h"
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

inline constexpr int kStepInputs = 32;
inline constexpr int kTileBytes = 1024;
inline constexpr int kStepBytes = 2 * kTileBytes;  // of decoded weights
inline constexpr int kPrefetchAhead = 4096;        // bytes of packed weights

constexpr int code_bits(Layout layout) { return layout == Layout::int4 ? 4 : 8; }

// What the decoder must know of a layout, worked out once per product.
struct CodeLayout {
  int64_t unit_bytes = 0, codes_at = 0, offsets_at = 0;
  int64_t step_scales = 0;  // bytes from the scales of a step to those of the next in its unit
  int64_t half_scales = 0;  // likewise to those of its second half; 0: it has none of its own
  int scale_bytes = 0;
  bool has_offset = false;
  float one = 0;    // the codes' place in a mantissa: 1 is 2^bits
  float start = 0;  // minus that, minus the zero point

  explicit CodeLayout(const PackedMatrix& w) {
    if (!w.form.group) return;
    const Unit unit(w.layout, w.form);
    unit_bytes = unit.bytes();
    codes_at = unit.codes_at();
    offsets_at = unit.offsets_at();
    step_scales = kGroup / w.form.group * unit.scale_stride();
    half_scales = w.form.group < kGroup ? unit.scale_stride() : 0;
    scale_bytes = unit.scale_bytes;
    has_offset = unit.has_offset;
    const int raised = w.layout == Layout::int8 ? 128 : 0;
    one = static_cast<float>(1 << code_bits(w.layout));
    start = -one - static_cast<float>(w.form.zero_point + raised);
  }
};

// What turns codes of 16 outputs into f32: fma(scale, 1 + code / 2^bits, offset). Codes are placed
// as mantissas of numbers in [1, 2), which is cheaper than a conversion; the scale is 2^bits times
// the weights', the offset is less 2^bits + zero point of them, which is exact for scales of few
// bits.
struct CodeScale {
  __m512 scale, offset;
};

QUERN_SIMD CodeScale load_code_scale(const CodeLayout& layout, const std::byte* at) {
  const bool f16 = layout.scale_bytes == 2;
  const __m512 scale = load_scales<Avx512>(at, f16), start = Avx512::fill(layout.start);
  const __m512 times = Avx512::mul(scale, Avx512::fill(layout.one));
  if (!layout.has_offset) return {times, Avx512::mul(scale, start)};
  return {times, Avx512::fma(scale, start, load_scales<Avx512>(at + layout.offsets_at, f16))};
}

// The codes in byte kByte of every lane, as weights with half a step of bf16 added to the
// magnitude.
template <int kBits, int kByte>
QUERN_SIMD __m512i decode_byte(__m512i codes, const CodeScale& s) {
  constexpr int kUp = 23 - kBits - 8 * kByte;  // to the highest bits of the mantissa
  __m512i placed;
  if constexpr (kUp > 0) {
    placed = _mm512_slli_epi32(codes, kUp);
  } else {
    placed = _mm512_srli_epi32(codes, -kUp);
  }
  constexpr int kAndOr = 0xea;  // (a & b) | c
  const __m512i one = _mm512_set1_epi32(0x3f800000);
  const __m512i mask = _mm512_set1_epi32(((1 << kBits) - 1) << (23 - kBits));
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
template <int kBits>
QUERN_SIMD void decode_line(__m512i codes, const CodeScale& s, std::byte* out) {
  const __m512i first =
      upper_halves(decode_byte<kBits, 0>(codes, s), decode_byte<kBits, 1>(codes, s));
  const __m512i second =
      upper_halves(decode_byte<kBits, 2>(codes, s), decode_byte<kBits, 3>(codes, s));
  Avx512::store_i32(out, first);
  Avx512::store_i32(out + kLine, second);
}

// Strip `strip` of the step at half kHalf of a unit. Every call fetches its share of a unit ahead,
// scales and all: the processor's own prefetching skips them.
template <Layout kLayout, int kHalf>
QUERN_SIMD void decode_codes(const CodeLayout& layout, const std::byte* unit, int strip,
                             std::byte* tile) {
  constexpr int kCalls = kLayout == Layout::int4 ? 4 : 2;  // that decode a unit
  const int64_t share = layout.unit_bytes / kCalls;
  const std::byte* ahead = unit + kPrefetchAhead + (2 * kHalf + strip) * share;
  for (int64_t i = 0; i < share; i += kLine) Avx512::prefetch(ahead + i);

  const std::byte* scales =
      unit + kHalf * layout.step_scales + kStripRows * strip * layout.scale_bytes;
  const std::byte* codes = unit + layout.codes_at + kLine * strip;
  CodeScale scale = load_code_scale(layout, scales);
  QUERN_UNROLL for (int j = 0; j < 8; ++j) {
    if (j == 4 && layout.half_scales) scale = load_code_scale(layout, scales + layout.half_scales);
    __m512i code = Avx512::load_i32(codes + 2 * kLine * j);
    if constexpr (kHalf == 1) code = Avx512::shift_right<4>(code);
    if constexpr (kLayout == Layout::int4) {
      code = Avx512::bit_and(code, Avx512::fill_i32(0x0f0f0f0f));
    }
    decode_line<code_bits(kLayout)>(code, scale, tile + 2 * kLine * j);
  }
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
[[gnu::noinline]] void decode_steps(const PackedMatrix& w, const CodeLayout& layout,
                                    const std::byte* panel, int64_t first, int64_t last,
                                    std::byte* out) {
  for (int64_t step = first; step < last; ++step) {
    for (int strip = 0; strip < 2; ++strip, out += kTileBytes) {
      if constexpr (kLayout == Layout::int4) {
        const std::byte* unit = panel + (step >> 1) * layout.unit_bytes;
        if (step & 1) {
          decode_codes<kLayout, 1>(layout, unit, strip, out);
        } else {
          decode_codes<kLayout, 0>(layout, unit, strip, out);
        }
      } else if constexpr (kLayout == Layout::int8) {
        decode_codes<kLayout, 0>(layout, panel + step * layout.unit_bytes, strip, out);
      } else {
        decode_plain<kLayout>(panel, w.n_in, step, strip, out);
      }
    }
  }
}

}  // namespace quern::cpu
