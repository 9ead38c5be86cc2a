// ggml's ternary formats: tq1_0 (1.69 bits, base 3) and tq2_0 (2.06 bits). Super-blocks of 256
// weights with one f16 scale: weight = scale * (code - 1), codes 0, 1, 2.
#include <algorithm>
#include <cmath>

#include "quant/blocked.h"

namespace quern {
namespace {

constexpr int kSuper = 256;
constexpr IntegerForm kTernary{
    .group = 16, .bits = 2, .zero_point = 1, .scales = ScaleKind::steps, .step_bits = 0};

SuperScale super_of(uint16_t scale) {
  SuperScale super{scale};
  std::fill_n(super.scale_steps, 16, int8_t{1});
  return super;
}

// codes and scale of 256 weights: the largest magnitude is 1, the rest round to it or to 0.
uint16_t quantize(const float* in, uint8_t (&codes)[kSuper]) {
  float peak = 0;
  for (int i = 0; i < kSuper; ++i) peak = std::fmax(peak, std::fabs(in[i]));
  const float inverse = peak == 0 ? 0 : 1 / peak;
  for (int i = 0; i < kSuper; ++i)
    codes[i] = static_cast<uint8_t>(to_code(std::round(in[i] * inverse), -1, 1) + 1);
  return f32_to_f16(peak);
}

// A byte holds up to 5 codes as a fraction in base 3, rounded up: ceil(256 * sum(3^(4-i) c_i) /
// 243). Multiplying by 3^i (modulo 256) moves code i in front, where times 3 / 256 reads it.
// Weights lie in three runs: 5 x 32 in bytes 0..31, 5 x 16 in bytes 32..47, 4 x 4 in the last 4
// bytes; within a run of n bytes, byte j holds weights j, j + n, j + 2 n, ... of the run.
struct Tq1 {
  uint8_t packed[52];
  uint16_t scale;  // f16

  struct Run {
    int byte, bytes, codes, weight;
  };
  static constexpr Run kRuns[] = {{0, 32, 5, 0}, {32, 16, 5, 160}, {48, 4, 4, 240}};
  static constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm = kTernary;
  SuperScale super() const { return super_of(scale); }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (const Run& run : kRuns)
      for (int i = 0; i < run.codes; ++i)
        for (int j = 0; j < run.bytes; ++j) {
          const auto front = static_cast<uint8_t>(packed[run.byte + j] * kPowers[i]);
          codes[run.weight + i * run.bytes + j] = static_cast<int8_t>(front * 3 >> 8);
        }
  }
  static Tq1 pack(const float* in) {
    uint8_t codes[kSuper];
    Tq1 block;
    block.scale = quantize(in, codes);
    for (const Run& run : kRuns)
      for (int j = 0; j < run.bytes; ++j) {
        int value = 0;
        for (int i = 0; i < run.codes; ++i)
          value += kPowers[4 - i] * codes[run.weight + i * run.bytes + j];
        block.packed[run.byte + j] = static_cast<uint8_t>((value * 256 + 242) / 243);
      }
    return block;
  }
};

// Two chunks of 128 weights in 32 bytes each: byte j holds weights j, j + 32, j + 64, j + 96 of its
// chunk, from the low bits up.
struct Tq2 {
  uint8_t packed[64];
  uint16_t scale;  // f16

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm = kTernary;
  SuperScale super() const { return super_of(scale); }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (int i = 0; i < kSuper; ++i)
      codes[i] = static_cast<int8_t>(packed[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3);
  }
  static Tq2 pack(const float* in) {
    uint8_t codes[kSuper];
    Tq2 block{};
    block.scale = quantize(in, codes);
    for (int i = 0; i < kSuper; ++i)
      block.packed[i / 128 * 32 + i % 32] |= static_cast<uint8_t>(codes[i] << (i % 128 / 32 * 2));
    return block;
  }
};

static_assert(matches<Tq1>(Dtype::tq1_0));
static_assert(matches<Tq2>(Dtype::tq2_0));

}  // namespace

extern const Format kTq1 = blocked_format<Tq1>(Dtype::tq1_0);
extern const Format kTq2 = blocked_format<Tq2>(Dtype::tq2_0);

}  // namespace quern
