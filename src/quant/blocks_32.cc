// GGUF's formats of 32 weights with one f16 scale (and one f16 minimum where the name ends in _1):
// q4_0, q4_1, q5_0, q5_1, q8_0.
// 4-bit codes lie as nibbles: byte i holds weight i in its low half and weight i + 16 in its high
// half. q5_x adds the fifth bit of weight i as bit i of a little-endian 32-bit word.
#include <algorithm>
#include <cmath>

#include "quant/blocked.h"

namespace quern {
namespace {

constexpr int kBlock = 32;

void unpack_nibbles(const uint8_t (&nibbles)[16], int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = static_cast<int8_t>(nibbles[i] & 15);
    codes[i + 16] = static_cast<int8_t>(nibbles[i] >> 4);
  }
}

// Adds the fifth bits: codes become 0..31.
void add_high_bits(const uint8_t (&high)[4], int8_t* codes) {
  // Eight at once: byte i of a word keeps bit i, which then moves to where the code needs it.
  constexpr uint64_t kEvery = 0x0101010101010101, kBitOfByte = 0x8040201008040201;
  for (int i = 0; i < kBlock; i += 8) {
    const uint64_t own = high[i / 8] * kEvery & kBitOfByte;
    const uint64_t bits = (own + 0x7f * kEvery) >> 7 & kEvery;
    uint64_t word;
    std::memcpy(&word, codes + i, sizeof word);
    word |= bits << 4;
    std::memcpy(codes + i, &word, sizeof word);
  }
}

void pack_codes(const uint8_t (&codes)[kBlock], uint8_t (&nibbles)[16]) {
  for (int i = 0; i < 16; ++i)
    nibbles[i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

void pack_high_bits(const uint8_t (&codes)[kBlock], uint8_t (&high)[4]) {
  std::fill(high, high + 4, uint8_t{0});
  for (int i = 0; i < kBlock; ++i) high[i / 8] |= static_cast<uint8_t>((codes[i] >> 4) << i % 8);
}

// The weight of largest magnitude gets the lowest code (-half), so that the asymmetric range is
// used in full. Returns the scale.
float quantize_signed(const float* in, int half, uint8_t (&codes)[kBlock]) {
  const float peak = *std::max_element(
      in, in + kBlock, [](float x, float y) { return std::fabs(x) < std::fabs(y); });
  const float scale = peak / static_cast<float>(-half);
  const float inverse = scale == 0 ? 0 : 1 / scale;
  for (int i = 0; i < kBlock; ++i) {
    const float code = in[i] * inverse + (static_cast<float>(half) + 0.5f);
    codes[i] = static_cast<uint8_t>(to_code(code, 0, 2 * half - 1));
  }
  return scale;
}

struct Range {
  float scale, minimum;
};
Range quantize_range(const float* in, int top, uint8_t (&codes)[kBlock]) {
  const auto [low, high] = std::minmax_element(in, in + kBlock);
  const float minimum = *low, scale = (*high - *low) / static_cast<float>(top);
  const float inverse = scale == 0 ? 0 : 1 / scale;
  for (int i = 0; i < kBlock; ++i) {
    codes[i] = static_cast<uint8_t>(to_code((in[i] - minimum) * inverse + 0.5f, 0, top));
  }
  return {scale, minimum};
}

// weight = scale * (code - 8)
struct Q4_0 {
  uint16_t scale;  // f16
  uint8_t nibbles[16];

  static constexpr int kWeights = kBlock;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 4, .zero_point = 8, .scales = ScaleKind::f16};
  void unpack(int8_t* codes, float* scales, float*) const {
    scales[0] = f16_to_f32(scale);
    unpack_nibbles(nibbles, codes);
  }
  static Q4_0 pack(const float* weights) {
    Q4_0 block;
    uint8_t codes[kBlock];
    block.scale = f32_to_f16(quantize_signed(weights, 8, codes));
    pack_codes(codes, block.nibbles);
    return block;
  }
};

// weight = scale * code + minimum
struct Q4_1 {
  uint16_t scale, minimum;  // f16
  uint8_t nibbles[16];

  static constexpr int kWeights = kBlock;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 4, .has_offset = true, .scales = ScaleKind::f16};
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    scales[0] = f16_to_f32(scale);
    offsets[0] = f16_to_f32(minimum);
    unpack_nibbles(nibbles, codes);
  }
  static Q4_1 pack(const float* weights) {
    Q4_1 block;
    uint8_t codes[kBlock];
    const Range range = quantize_range(weights, 15, codes);
    block.scale = f32_to_f16(range.scale);
    block.minimum = f32_to_f16(range.minimum);
    pack_codes(codes, block.nibbles);
    return block;
  }
};

// weight = scale * (code - 16), codes 0..31
struct Q5_0 {
  uint16_t scale;  // f16
  uint8_t high[4];
  uint8_t nibbles[16];

  static constexpr int kWeights = kBlock;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 5, .zero_point = 16, .scales = ScaleKind::f16};
  void unpack(int8_t* codes, float* scales, float*) const {
    scales[0] = f16_to_f32(scale);
    unpack_nibbles(nibbles, codes);
    add_high_bits(high, codes);
  }
  static Q5_0 pack(const float* weights) {
    Q5_0 block;
    uint8_t codes[kBlock];
    block.scale = f32_to_f16(quantize_signed(weights, 16, codes));
    pack_codes(codes, block.nibbles);
    pack_high_bits(codes, block.high);
    return block;
  }
};

// weight = scale * code + minimum, codes 0..31
struct Q5_1 {
  uint16_t scale, minimum;  // f16
  uint8_t high[4];
  uint8_t nibbles[16];

  static constexpr int kWeights = kBlock;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 5, .has_offset = true, .scales = ScaleKind::f16};
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    scales[0] = f16_to_f32(scale);
    offsets[0] = f16_to_f32(minimum);
    unpack_nibbles(nibbles, codes);
    add_high_bits(high, codes);
  }
  static Q5_1 pack(const float* weights) {
    Q5_1 block;
    uint8_t codes[kBlock];
    const Range range = quantize_range(weights, 31, codes);
    block.scale = f32_to_f16(range.scale);
    block.minimum = f32_to_f16(range.minimum);
    pack_codes(codes, block.nibbles);
    pack_high_bits(codes, block.high);
    return block;
  }
};

// weight = scale * code
struct Q8_0 {
  uint16_t scale;  // f16
  int8_t codes[kBlock];

  static constexpr int kWeights = kBlock;
  static constexpr IntegerForm kForm{.group = 32, .bits = 8, .scales = ScaleKind::f16};
  void unpack(int8_t* out, float* scales, float*) const {
    scales[0] = f16_to_f32(scale);
    std::memcpy(out, codes, sizeof codes);
  }
  static Q8_0 pack(const float* weights) {
    float peak = 0;
    for (int i = 0; i < kBlock; ++i) peak = std::max(peak, std::fabs(weights[i]));
    const float scale = peak / 127, inverse = scale == 0 ? 0 : 1 / scale;
    Q8_0 block;
    block.scale = f32_to_f16(scale);
    for (int i = 0; i < kBlock; ++i)
      block.codes[i] = static_cast<int8_t>(to_code(std::round(weights[i] * inverse), -127, 127));
    return block;
  }
};

static_assert(matches<Q4_0>(Dtype::q4_0));
static_assert(matches<Q4_1>(Dtype::q4_1));
static_assert(matches<Q5_0>(Dtype::q5_0));
static_assert(matches<Q5_1>(Dtype::q5_1));
static_assert(matches<Q8_0>(Dtype::q8_0));

}  // namespace

extern const Format kQ4_0 = blocked_format<Q4_0>(Dtype::q4_0);
extern const Format kQ4_1 = blocked_format<Q4_1>(Dtype::q4_1);
extern const Format kQ5_0 = blocked_format<Q5_0>(Dtype::q5_0);
extern const Format kQ5_1 = blocked_format<Q5_1>(Dtype::q5_1);
extern const Format kQ8_0 = blocked_format<Q8_0>(Dtype::q8_0);

}  // namespace quern
