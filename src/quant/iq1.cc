// GGUF's formats of 1.6 and 1.75 bits: iq1_s, iq1_m. Super-blocks of 256 weights. A table entry
// gives 8 values of -1, 0, 1, to which one delta of +1/8 or -1/8 is added:
// weight = scale * (value + delta). In integer form the codes are 8 * (value + delta), so the scale
// is an eighth of the format's own; both steps are exact in f32.
#include "quant/blocked.h"
#include "quant/iq_tables.h"

namespace quern {
namespace {

constexpr int kSuper = 256;

constexpr int8_t kValues[16] = {-9, -7, -1, 1, 7, 9};

void put(uint64_t entry, bool minus, int8_t* codes) {
  for (int i = 0; i < 8; ++i) {
    const int value = static_cast<int8_t>(entry >> 8 * i);
    codes[i] = static_cast<int8_t>(8 * value + (minus ? -1 : 1));
  }
}

// Per group of 32: four 11-bit table indices (8 low bits in low[4 g + k], 3 high bits at bit 3 k of
// high[g]); bits 12..14 of high[g] are the scale s, bit 15 the sign of delta. scale = d * (2 s +
// 1).
struct Iq1S {
  uint16_t d;  // f16
  uint8_t low[32];
  uint16_t high[8];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 8, .scales = ScaleKind::steps, .step_unit = 0.125f, .values = kValues};
  SuperScale super() const {
    SuperScale super{d};
    for (int g = 0; g < 8; ++g)
      super.scale_steps[g] = static_cast<int8_t>(2 * (high[g] >> 12 & 7) + 1);
    return super;
  }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (int g = 0; g < 8; ++g) {
      for (int k = 0; k < 4; ++k) {
        const unsigned index = low[4 * g + k] | (high[g] >> 3 * k & 7u) << 8;
        put(kIq1Grid[index], high[g] >> 15, codes + 32 * g + 8 * k);
      }
    }
  }
};

// Per 8 weights: 8 low bits of the index in low[k] and half a byte of high[k / 2], low half first:
// 3 high bits of the index and the sign of delta. scales: four 16-bit words, each with four 3-bit
// scales s (of 16 weights each) and on top 4 bits of the f16 number d, lowest bits in the first
// word. scale = d * (2 s + 1).
struct Iq1M {
  uint8_t low[32];
  uint8_t high[16];
  uint16_t scales[4];

  static constexpr int kWeights = kSuper;
  static constexpr IntegerForm kForm{
      .group = 16, .bits = 8, .scales = ScaleKind::steps, .step_unit = 0.125f, .values = kValues};
  SuperScale super() const {
    unsigned d = 0;
    for (int i = 0; i < 4; ++i) d |= static_cast<unsigned>(scales[i] >> 12) << 4 * i;
    SuperScale super{static_cast<uint16_t>(d)};
    for (int g = 0; g < 16; ++g)
      super.scale_steps[g] = static_cast<int8_t>(2 * (scales[g / 4] >> (g % 4 * 3) & 7) + 1);
    return super;
  }
  void unpack(int8_t* codes, float* out_scales, float* offsets) const {
    spread(*this, out_scales, offsets);
    for (int k = 0; k < 32; ++k) {
      const unsigned half = high[k / 2] >> (k % 2 * 4) & 15u;
      put(kIq1Grid[low[k] | (half & 7) << 8], half & 8, codes + 8 * k);
    }
  }
};

static_assert(matches<Iq1S>(Dtype::iq1_s));
static_assert(matches<Iq1M>(Dtype::iq1_m));

}  // namespace

extern const Format kIq1S = blocked_format<Iq1S>(Dtype::iq1_s);
extern const Format kIq1M = blocked_format<Iq1M>(Dtype::iq1_m);

}  // namespace quern
