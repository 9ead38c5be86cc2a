// GGUF's codebook formats of 2 and 3 bits: iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s. Super-blocks of
// 256 weights with one f16 number d. Magnitudes come from a table, 8 (iq2) or 4 (iq3) weights per
// entry; signs lie beside them, 8 to a byte, bit i for weight i, 1 for minus. weight = scale *
// magnitude.
#include <bit>

#include "quant/blocked.h"
#include "quant/iq_tables.h"

namespace quern {
namespace {

constexpr int kSuper = 256;

// Seven stored sign bits; the eighth makes the number of minus signs even.
unsigned even_signs(unsigned seven) {
  return seven | static_cast<unsigned>(std::popcount(seven) & 1) << 7;
}

// n weights: the bytes of a table entry with the lowest n sign bits.
void put(uint64_t entry, unsigned signs, int n, int8_t* codes) {
  for (int i = 0; i < n; ++i) {
    const int magnitude = static_cast<int>(entry >> 8 * i & 255);
    codes[i] = static_cast<int8_t>(signs >> i & 1 ? -magnitude : magnitude);
  }
}

unsigned nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> (i % 2 * 4) & 15; }

// The values that codes can be, from the magnitudes of the tables.
constexpr int8_t kIq2Values[16] = {-43, -25, -8, 8, 25, 43};
constexpr int8_t kIq3XxsValues[16] = {-62, -52, -44, -36, -28, -20, -12, -4,
                                      4,   12,  20,  28,  36,  44,  52,  62};
constexpr int8_t kIq3SValues[16] = {-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15};

uint32_t word(const uint16_t* halves) { return halves[0] | static_cast<uint32_t>(halves[1]) << 16; }

// Steps 2 s + 1 from n 4-bit s, low half first.
SuperScale odd_steps(uint16_t d, const uint8_t* nibbles, int n) {
  SuperScale super{d};
  for (int g = 0; g < n; ++g)
    super.scale_steps[g] = static_cast<int8_t>(2 * nibble(nibbles, g) + 1);
  return super;
}

// 8 groups of 32, each 8 bytes: four table indices, then a 32-bit word with four 7-bit sign fields
// and a 4-bit scale s on top. scale = d * (s + 1/2) / 4.
struct Iq2Xxs {
  uint16_t d;  // f16
  uint16_t words[32];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{.group = 32,
                                     .bits = 8,
                                     .scales = ScaleKind::steps,
                                     .step_unit = 0.125f,
                                     .values = kIq2Values};
  SuperScale super() const {
    SuperScale super{d};
    for (int g = 0; g < 8; ++g)
      super.scale_steps[g] = static_cast<int8_t>(2 * (words[4 * g + 3] >> 12) + 1);
    return super;
  }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (int g = 0; g < 8; ++g) {
      const uint32_t indices = word(&words[4 * g]), rest = word(&words[4 * g + 2]);
      for (int k = 0; k < 4; ++k)
        put(kIq2XxsGrid[indices >> 8 * k & 255], even_signs(rest >> 7 * k & 127), 8,
            codes + 32 * g + 8 * k);
    }
  }
};

// 32 words, each a 9-bit table index and 7 sign bits; 4-bit scales per 16 weights, low half first.
struct Iq2Xs {
  uint16_t d;  // f16
  uint16_t words[32];
  uint8_t scales[8];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{.group = 16,
                                     .bits = 8,
                                     .scales = ScaleKind::steps,
                                     .step_unit = 0.125f,
                                     .values = kIq2Values};
  SuperScale super() const { return odd_steps(d, scales, 16); }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    for (int k = 0; k < 32; ++k)
      put(kIq2XsGrid[words[k] & 511], even_signs(words[k] >> 9), 8, codes + 8 * k);
  }
};

// 10-bit table indices: 8 low bits in low[k], 2 high bits in high[k / 4]; all 8 signs are stored.
struct Iq2S {
  uint16_t d;  // f16
  uint8_t low[32];
  uint8_t signs[32];
  uint8_t high[8];
  uint8_t scales[8];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{.group = 16,
                                     .bits = 8,
                                     .scales = ScaleKind::steps,
                                     .step_unit = 0.125f,
                                     .values = kIq2Values};
  SuperScale super() const { return odd_steps(d, scales, 16); }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    for (int k = 0; k < 32; ++k) {
      const unsigned index = low[k] | (high[k / 4] >> (k % 4 * 2) & 3u) << 8;
      put(kIq2SGrid[index], signs[k], 8, codes + 8 * k);
    }
  }
};

// 64 table indices, then per group of 32 a word with four 7-bit sign fields and a 4-bit scale s on
// top. scale = d * (s + 1/2) / 2.
struct Iq3Xxs {
  uint16_t d;  // f16
  uint8_t indices[64];
  uint16_t words[16];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{.group = 32,
                                     .bits = 8,
                                     .scales = ScaleKind::steps,
                                     .step_unit = 0.25f,
                                     .values = kIq3XxsValues};
  SuperScale super() const {
    SuperScale super{d};
    for (int g = 0; g < 8; ++g)
      super.scale_steps[g] = static_cast<int8_t>(2 * (words[2 * g + 1] >> 12) + 1);
    return super;
  }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (int g = 0; g < 8; ++g) {
      const uint32_t rest = word(&words[2 * g]);
      for (int k = 0; k < 8; ++k) {
        const unsigned signs = even_signs(rest >> 7 * (k / 2) & 127);
        put(kIq3XxsGrid[indices[8 * g + k]], signs >> (k % 2 * 4), 4, codes + 32 * g + 4 * k);
      }
    }
  }
};

// 9-bit table indices: 8 low bits in low[k], the high bit is bit k % 8 of high[k / 8]; all 8 signs
// are stored; 4-bit scales s per 32 weights, low half first. scale = d * (2 s + 1).
struct Iq3S {
  uint16_t d;  // f16
  uint8_t low[64];
  uint8_t high[8];
  uint8_t signs[32];
  uint8_t scales[4];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 8, .scales = ScaleKind::steps, .values = kIq3SValues};
  SuperScale super() const { return odd_steps(d, scales, 8); }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    for (int k = 0; k < 64; ++k) {
      const unsigned index = low[k] | (high[k / 8] >> k % 8 & 1u) << 8;
      put(kIq3SGrid[index], signs[k / 2] >> (k % 2 * 4), 4, codes + 4 * k);
    }
  }
};

static_assert(matches<Iq2Xxs>(Dtype::iq2_xxs));
static_assert(matches<Iq2Xs>(Dtype::iq2_xs));
static_assert(matches<Iq2S>(Dtype::iq2_s));
static_assert(matches<Iq3Xxs>(Dtype::iq3_xxs));
static_assert(matches<Iq3S>(Dtype::iq3_s));

}  // namespace

extern const Format kIq2Xxs = blocked_format<Iq2Xxs>(Dtype::iq2_xxs);
extern const Format kIq2Xs = blocked_format<Iq2Xs>(Dtype::iq2_xs);
extern const Format kIq2S = blocked_format<Iq2S>(Dtype::iq2_s);
extern const Format kIq3Xxs = blocked_format<Iq3Xxs>(Dtype::iq3_xxs);
extern const Format kIq3S = blocked_format<Iq3S>(Dtype::iq3_s);

}  // namespace quern
