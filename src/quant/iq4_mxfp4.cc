// Formats whose 4-bit codes are looked up in a table of 16 integers: iq4_nl, iq4_xs, mxfp4.
// In every 16 bytes, byte i holds weight i in its low half and weight i + 16 in its high half.
#include <cmath>

#include "quant/blocked.h"

namespace quern {
namespace {

constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

// FP4 (e2m1) values 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, doubled. (OCP Microscaling
// Formats 1.0)
constexpr int8_t kFp4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

void look_up(const int8_t (&values)[16], const uint8_t* packed, int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = values[packed[i] & 15];
    codes[i + 16] = values[packed[i] >> 4];
  }
}

// Index of the nearest table value to x; the first where two are as near.
int nearest(const int8_t (&values)[16], float scale, float x) {
  int best = 0;
  for (int i = 1; i < 16; ++i)
    if (std::fabs(scale * values[i] - x) < std::fabs(scale * values[best] - x)) best = i;
  return best;
}

void pack_nearest(const int8_t (&values)[16], float scale, const float* in, uint8_t* packed) {
  for (int i = 0; i < 16; ++i)
    packed[i] = static_cast<uint8_t>(nearest(values, scale, in[i]) |
                                     nearest(values, scale, in[i + 16]) << 4);
}

// Scale at which the weight of largest magnitude among 32 meets the table's lowest value: the table
// reaches further below zero than above, so the scale is negative where that weight is positive.
float negative_end_scale(const float* in) {
  float peak = 0;
  for (int i = 0; i < 32; ++i)
    if (std::fabs(in[i]) > std::fabs(peak)) peak = in[i];
  return peak / static_cast<float>(kIq4Values[0]);
}

// weight = scale * value[code]
struct Iq4Nl {
  uint16_t scale;  // f16
  uint8_t packed[16];

  static constexpr int kWeights = 32;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 8, .scales = ScaleKind::f16, .values = kIq4Values};
  void unpack(int8_t* codes, float* scales, float*) const {
    scales[0] = f16_to_f32(scale);
    look_up(kIq4Values, packed, codes);
  }
  static Iq4Nl pack(const float* in) {
    Iq4Nl block;
    block.scale = f32_to_f16(negative_end_scale(in));
    pack_nearest(kIq4Values, f16_to_f32(block.scale), in, block.packed);
    return block;
  }
};

// 8 groups of 32 with 6-bit scales around 32: the low 4 bits in low_scales (low half first), the
// high 2 bits at bit 2 g of high_scales. scale = d * (s - 32).
struct Iq4Xs {
  uint16_t d;  // f16
  uint16_t high_scales;
  uint8_t low_scales[4];
  uint8_t packed[128];

  static constexpr int kWeights = 256;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 8, .scales = ScaleKind::steps, .values = kIq4Values};
  SuperScale super() const {
    SuperScale super{d};
    for (int g = 0; g < 8; ++g) {
      const int low = low_scales[g / 2] >> (g % 2 * 4) & 15, high = high_scales >> 2 * g & 3;
      super.scale_steps[g] = static_cast<int8_t>((low | high << 4) - 32);
    }
    return super;
  }
  void unpack(int8_t* codes, float* scales, float* offsets) const {
    spread(*this, scales, offsets);
    for (int g = 0; g < 8; ++g) look_up(kIq4Values, packed + 16 * g, codes + 32 * g);
  }
  static Iq4Xs pack(const float* in) {
    float wanted[8], peak = 0;
    for (int g = 0; g < 8; ++g) {
      wanted[g] = negative_end_scale(in + 32 * g);
      peak = std::fmax(peak, std::fabs(wanted[g]));
    }
    Iq4Xs block{};
    block.d = f32_to_f16(peak / 31);
    const float real_d = f16_to_f32(block.d);
    for (int g = 0; g < 8; ++g) {
      const int scale = real_d == 0 ? 0 : to_code(std::round(wanted[g] / real_d), -32, 31);
      block.low_scales[g / 2] |= static_cast<uint8_t>(((scale + 32) & 15) << (g % 2 * 4));
      block.high_scales |= static_cast<uint16_t>(((scale + 32) >> 4) << 2 * g);
      pack_nearest(kIq4Values, real_d * static_cast<float>(scale), in + 32 * g,
                   block.packed + 16 * g);
    }
    return block;
  }
};

// FP4 numbers with a shared power of two: weight = 2^(exponent - 127) * fp4, and exponent 0 stands
// for 2^-127. Codes are the doubled FP4 values, so the scale is half of that.
struct Mxfp4 {
  uint8_t exponent;
  uint8_t packed[16];

  static constexpr int kWeights = 32;
  static constexpr IntegerForm kForm{
      .group = 32, .bits = 8, .scales = ScaleKind::power, .values = kFp4Doubled};

  static float half_scale(uint8_t exponent) {  // 2^(exponent - 128), the least two are subnormal
    const uint32_t bits =
        exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23;
    return std::bit_cast<float>(bits);
  }
  void unpack(int8_t* codes, float* scales, float*) const {
    scales[0] = half_scale(exponent);
    look_up(kFp4Doubled, packed, codes);
  }
  // The largest magnitude falls in [4, 8) times the scale, as the OCP specification proposes.
  static Mxfp4 pack(const float* in) {
    float peak = 0;
    for (int i = 0; i < 32; ++i) peak = std::fmax(peak, std::fabs(in[i]));
    const int exponent = peak > 0 && std::isfinite(peak) ? std::ilogb(peak) - 2 + 127 : 0;
    Mxfp4 block;
    block.exponent = static_cast<uint8_t>(exponent < 0 ? 0 : exponent);
    pack_nearest(kFp4Doubled, half_scale(block.exponent), in, block.packed);
    return block;
  }
};

static_assert(matches<Iq4Nl>(Dtype::iq4_nl));
static_assert(matches<Iq4Xs>(Dtype::iq4_xs));
static_assert(matches<Mxfp4>(Dtype::mxfp4));

}  // namespace

extern const Format kIq4Nl = blocked_format<Iq4Nl>(Dtype::iq4_nl);
extern const Format kIq4Xs = blocked_format<Iq4Xs>(Dtype::iq4_xs);
extern const Format kMxfp4 = blocked_format<Mxfp4>(Dtype::mxfp4);

}  // namespace quern
