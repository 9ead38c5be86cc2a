// GGUF's k-quants: super-blocks of 256 weights; groups of 16 or 32 have small integer scales (and
// minima), which one or two f16 numbers turn into real ones. weight = scale * code - minimum.
// Codes of 2 or 4 bits lie in "chunks": 128 weights (2 bits) or 64 (4 bits) share 32 bytes, and
// byte j holds weights j, j + 32, ... of its chunk from the low bits up.
#include <algorithm>
#include <cmath>

#include "quant/blocked.h"

namespace quern {
namespace {

constexpr int kSuper = 256;

// Fields of kBits to bit kTo of the codes of 256 weights: chunks of kRun bytes, byte j of which
// holds weights j, j + kRun, ... of its chunk from the low bits up. At kTo 0 the codes are set,
// above it they gain bits. Loops the compiler makes vectors of: this is what loading a model waits
// for.
template <int kBits, int kRun = 32, int kTo = 0>
void unpack_fields(const uint8_t* __restrict packed, int8_t* __restrict codes) {
  constexpr int kMask = (1 << kBits) - 1;
  for (int i = 0; i < kSuper; i += kRun) {
    const int field = i / kRun % (8 / kBits);
    const uint8_t* from = packed + i / (kRun * 8 / kBits) * kRun;
    for (int j = 0; j < kRun; ++j) {
      const int bits = (from[j] >> (field * kBits) & kMask) << kTo;
      codes[i + j] = static_cast<int8_t>(kTo == 0 ? bits : codes[i + j] | bits);
    }
  }
}

void set_two_bits(uint8_t* packed, int i, int code) {
  packed[i / 128 * 32 + i % 32] |= static_cast<uint8_t>(code << (i % 128 / 32 * 2));
}

void set_four_bits(uint8_t* packed, int i, int code) {
  packed[i / 64 * 32 + i % 32] |= static_cast<uint8_t>(code << (i % 64 / 32 * 4));
}

// Encoding is plain: a group's range, or its weight of largest magnitude, fixes its scale; no
// search for a better one.

int nearest(float x, int low, int high) { return to_code(std::round(x), low, high); }

float ratio(float x, float y) { return y == 0 ? 0 : x / y; }

// The f16 number that turns integers up to `top` into `values`, the largest of which is at the top.
uint16_t common_scale(std::span<const float> values, int top) {
  float peak = 0;
  for (const float v : values) peak = std::fmax(peak, std::fabs(v));
  return f32_to_f16(peak / static_cast<float>(top));
}

// Scale of n weights around zero: the one of largest magnitude becomes -half.
float signed_scale(const float* in, int n, int half) {
  const float peak =
      *std::max_element(in, in + n, [](float x, float y) { return std::fabs(x) < std::fabs(y); });
  return peak / static_cast<float>(-half);
}

// Scales and minima of groups of weights with codes 0..top; the format subtracts minima, so they
// are at least 0.
template <int kGroup>
struct Ranges {
  float scales[kSuper / kGroup], minima[kSuper / kGroup];

  Ranges(const float* in, int top) {
    for (int g = 0; g < kSuper / kGroup; ++g, in += kGroup) {
      const auto [low, high] = std::minmax_element(in, in + kGroup);
      minima[g] = std::fmax(0.0f, -*low);
      scales[g] = (std::fmax(0.0f, *high) + minima[g]) / static_cast<float>(top);
    }
  }
};

// Eight 6-bit scales and eight 6-bit minima in 12 bytes: bytes 0..3 hold the first four scales,
// bytes 4..7 the first four minima, each in its low 6 bits; bytes 8..11 hold the low 4 bits of the
// last four scales (low half) and minima (high half), whose upper 2 bits are the top bits of bytes
// 0..3 and 4..7.
struct ScaleMin {
  int scale, minimum;
};
ScaleMin scale_min(const uint8_t (&packed)[12], int g) {
  if (g < 4) return {packed[g] & 63, packed[g + 4] & 63};
  return {(packed[g + 4] & 15) | (packed[g - 4] >> 6) << 4, packed[g + 4] >> 4 | (packed[g] >> 6)
                                                                                     << 4};
}

SuperScale super_of(uint16_t d, uint16_t dmin, const uint8_t (&packed)[12]) {
  SuperScale super{d, dmin};
  for (int g = 0; g < 8; ++g) {
    const auto [scale, minimum] = scale_min(packed, g);
    super.scale_steps[g] = static_cast<int8_t>(scale);
    super.offset_steps[g] = static_cast<int8_t>(minimum);
  }
  return super;
}

void set_scale_min(uint8_t (&packed)[12], int g, int scale, int minimum) {
  if (g < 4) {
    packed[g] |= static_cast<uint8_t>(scale);
    packed[g + 4] |= static_cast<uint8_t>(minimum);
    return;
  }
  packed[g + 4] = static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
  packed[g - 4] |= static_cast<uint8_t>((scale >> 4) << 6);
  packed[g] |= static_cast<uint8_t>((minimum >> 4) << 6);
}

// Fills d, dmin and scales of a q4_k or q5_k block and gives the codes of its weights, 0..top.
template <class Block>
void quantize_groups_of_32(const float* in, int top, Block& block, uint8_t (&codes)[kSuper]) {
  const Ranges<32> ranges(in, top);
  block.d = common_scale(ranges.scales, 63);
  block.dmin = common_scale(ranges.minima, 63);
  const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const int scale = nearest(ratio(ranges.scales[g], d), 0, 63);
    const int minimum = nearest(ratio(ranges.minima[g], dmin), 0, 63);
    set_scale_min(block.scales, g, scale, minimum);
    const float step = d * static_cast<float>(scale), low = dmin * static_cast<float>(minimum);
    for (int i = 32 * g; i < 32 * (g + 1); ++i)
      codes[i] = static_cast<uint8_t>(nearest(ratio(in[i] + low, step), 0, top));
  }
}

// 16 groups of 16; group g: scale = d * (scales[g] & 15), minimum = dmin * (scales[g] >> 4).
struct Q2K {
  uint8_t scales[16];
  uint8_t codes[64];
  uint16_t d, dmin;  // f16

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 16, .bits = 2, .has_offset = true, .scales = ScaleKind::steps, .step_bits = 4};
  SuperScale super() const {
    SuperScale super{d, dmin};
    for (int g = 0; g < 16; ++g) {
      super.scale_steps[g] = static_cast<int8_t>(scales[g] & 15);
      super.offset_steps[g] = static_cast<int8_t>(scales[g] >> 4);
    }
    return super;
  }
  void unpack(int8_t* out, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    unpack_fields<2>(codes, out);
  }
  static Q2K pack(const float* in) {
    const Ranges<16> ranges(in, 3);
    Q2K block{};
    block.d = common_scale(ranges.scales, 15);
    block.dmin = common_scale(ranges.minima, 15);
    const float real_d = f16_to_f32(block.d), real_dmin = f16_to_f32(block.dmin);
    for (int g = 0; g < 16; ++g) {
      const int scale = nearest(ratio(ranges.scales[g], real_d), 0, 15);
      const int minimum = nearest(ratio(ranges.minima[g], real_dmin), 0, 15);
      block.scales[g] = static_cast<uint8_t>(scale | minimum << 4);
      const float step = real_d * static_cast<float>(scale);
      const float low = real_dmin * static_cast<float>(minimum);
      for (int i = 16 * g; i < 16 * (g + 1); ++i)
        set_two_bits(block.codes, i, nearest(ratio(in[i] + low, step), 0, 3));
    }
    return block;
  }
};

// 16 groups of 16; code = low 2 bits, plus 4 where the high bit is set, around a zero of 4 (so that
// a cleared high bit means minus 4). Bit i / 32 of high[i % 32] is the high bit of weight i. Scales
// are 6 bits around 32: scales[0..7] hold the low 4 bits of group g (low half) and g + 8 (high
// half); scales[8 + g % 4] holds the upper 2 bits of group g at bit 2 * (g / 4).
struct Q3K {
  uint8_t high[32];
  uint8_t low[64];
  uint8_t scales[12];
  uint16_t d;  // f16

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 16, .bits = 3, .zero_point = 4, .scales = ScaleKind::steps};
  SuperScale super() const {
    SuperScale super{d};
    for (int g = 0; g < 16; ++g) {
      const int low4 = scales[g % 8] >> (g / 8 * 4) & 15;
      const int high2 = scales[8 + g % 4] >> (g / 4 * 2) & 3;
      super.scale_steps[g] = static_cast<int8_t>((low4 | high2 << 4) - 32);
    }
    return super;
  }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    unpack_fields<2>(low, codes);
    unpack_fields<1, 32, 2>(high, codes);
  }
  static Q3K pack(const float* in) {
    float wanted[16];
    for (int g = 0; g < 16; ++g) wanted[g] = signed_scale(in + 16 * g, 16, 4);
    Q3K block{};
    block.d = common_scale(wanted, 31);
    const float real_d = f16_to_f32(block.d);
    for (int g = 0; g < 16; ++g) {
      const int scale = nearest(ratio(wanted[g], real_d), -32, 31);
      block.scales[g % 8] |= static_cast<uint8_t>(((scale + 32) & 15) << (g / 8 * 4));
      block.scales[8 + g % 4] |= static_cast<uint8_t>(((scale + 32) >> 4) << (g / 4 * 2));
      const float step = real_d * static_cast<float>(scale);
      for (int i = 16 * g; i < 16 * (g + 1); ++i) {
        const int code = nearest(ratio(in[i], step), -4, 3) + 4;
        set_two_bits(block.low, i, code & 3);
        block.high[i % 32] |= static_cast<uint8_t>((code >> 2) << (i / 32));
      }
    }
    return block;
  }
};

// 8 groups of 32; scale = d * 6-bit scale, minimum = dmin * 6-bit minimum.
struct Q4K {
  uint16_t d, dmin;  // f16
  uint8_t scales[12];
  uint8_t codes[128];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 4, .has_offset = true, .scales = ScaleKind::steps};
  SuperScale super() const { return super_of(d, dmin, scales); }
  void unpack(int8_t* out, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    unpack_fields<4>(codes, out);
  }
  static Q4K pack(const float* in) {
    Q4K block{};
    uint8_t codes[kSuper];
    quantize_groups_of_32(in, 15, block, codes);
    for (int i = 0; i < kSuper; ++i) set_four_bits(block.codes, i, codes[i]);
    return block;
  }
};

// As q4_k with a fifth bit: bit i / 32 of high[i % 32].
struct Q5K {
  uint16_t d, dmin;  // f16
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t low[128];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 5, .has_offset = true, .scales = ScaleKind::steps};
  SuperScale super() const { return super_of(d, dmin, scales); }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    unpack_fields<4>(low, codes);
    unpack_fields<1, 32, 4>(high, codes);
  }
  static Q5K pack(const float* in) {
    Q5K block{};
    uint8_t codes[kSuper];
    quantize_groups_of_32(in, 31, block, codes);
    for (int i = 0; i < kSuper; ++i) {
      set_four_bits(block.low, i, codes[i] & 15);
      block.high[i % 32] |= static_cast<uint8_t>((codes[i] >> 4) << (i / 32));
    }
    return block;
  }
};

// 16 groups of 16, 6-bit codes around 32, int8 scales. The low 4 bits lie in chunks of 128 weights:
// 64 bytes, byte j holds weights j and j + 64; the upper 2 bits lie as in q2_k.
struct Q6K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;  // f16

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 16, .bits = 6, .zero_point = 32, .scales = ScaleKind::steps};
  SuperScale super() const {
    SuperScale super{d};
    std::copy_n(scales, 16, super.scale_steps);
    return super;
  }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    unpack_fields<4, 64>(low, codes);
    unpack_fields<2, 32, 4>(high, codes);
  }
  static Q6K pack(const float* in) {
    float wanted[16];
    for (int g = 0; g < 16; ++g) wanted[g] = signed_scale(in + 16 * g, 16, 32);
    Q6K block{};
    block.d = common_scale(wanted, 127);
    const float real_d = f16_to_f32(block.d);
    for (int g = 0; g < 16; ++g) {
      block.scales[g] = static_cast<int8_t>(nearest(ratio(wanted[g], real_d), -127, 127));
      const float step = real_d * static_cast<float>(block.scales[g]);
      for (int i = 16 * g; i < 16 * (g + 1); ++i) {
        const int code = nearest(ratio(in[i], step), -32, 31) + 32;
        block.low[i / 128 * 64 + i % 64] |= static_cast<uint8_t>((code & 15) << (i % 128 / 64 * 4));
        set_two_bits(block.high, i, code >> 4);
      }
    }
    return block;
  }
};

// int8 with one f32 scale; sums of 16 codes follow, which only dot products need. An activation
// format: files hardly ever hold it.
struct Q8K {
  float d;
  int8_t codes[kSuper];
  int16_t sums[16];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{.group = 32, .bits = 8};
  void unpack(int8_t* out, float* out_scales, float*) const {
    for (int g = 0; g < 8; ++g) out_scales[g] = d;
    std::memcpy(out, codes, sizeof codes);
  }
  static Q8K pack(const float* in) {
    Q8K block{};
    block.d = std::fabs(signed_scale(in, kSuper, 127));
    for (int i = 0; i < kSuper; ++i) {
      block.codes[i] = static_cast<int8_t>(nearest(ratio(in[i], block.d), -127, 127));
      block.sums[i / 16] = static_cast<int16_t>(block.sums[i / 16] + block.codes[i]);
    }
    return block;
  }
};

static_assert(matches<Q2K>(Dtype::q2_k));
static_assert(matches<Q3K>(Dtype::q3_k));
static_assert(matches<Q4K>(Dtype::q4_k));
static_assert(matches<Q5K>(Dtype::q5_k));
static_assert(matches<Q6K>(Dtype::q6_k));
static_assert(matches<Q8K>(Dtype::q8_k));

}  // namespace

extern const Format kQ2K = blocked_format<Q2K>(Dtype::q2_k);
extern const Format kQ3K = blocked_format<Q3K>(Dtype::q3_k);
extern const Format kQ4K = blocked_format<Q4K>(Dtype::q4_k);
extern const Format kQ5K = blocked_format<Q5K>(Dtype::q5_k);
extern const Format kQ6K = blocked_format<Q6K>(Dtype::q6_k);
extern const Format kQ8K = blocked_format<Q8K>(Dtype::q8_k);

}  // namespace quern
