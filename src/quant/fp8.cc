// 8-bit floats, as safetensors has them (F8_E4M3, F8_E5M2): sign, exponent, fraction, one byte a
// weight. GGUF has none. A matrix's scale is not part of the format: it is a separate tensor.
//
// E4M3 (PyTorch's float8_e4m3fn): bias 7, no infinities, NaN is 0x7f and 0xff, largest 448.
// E5M2 (float8_e5m2): bias 15, infinities and NaNs as in f16, of which it is the upper byte.
// f32 is rounded to nearest, ties to even; what is too large becomes NaN (E4M3) or infinity.
#include <bit>

#include "quant/plain.h"

namespace quern {
namespace {

template <int kFraction, int kBias, bool kHasInfinity>
struct Fp8 {
  static constexpr uint32_t kMagnitude = 0x7f, kF32Fraction = 23, kF32Bias = 127;
  static constexpr uint32_t kFractions = 1u << kFraction;
  static constexpr uint32_t kInfinity = kMagnitude + 1 - kFractions;  // where there is one
  // An f32 of the smallest normal number, and the size of a step below it.
  static constexpr uint32_t kMinNormal = (kF32Bias + 1 - kBias) << kF32Fraction;
  static constexpr float kStep =
      std::bit_cast<float>((kF32Bias + 1 - kBias - kFraction) << kF32Fraction);

  static float to_f32(uint8_t code) {
    const uint32_t sign = uint32_t{code} >> 7 << 31, magnitude = code & kMagnitude;
    const uint32_t exponent = magnitude >> kFraction, fraction = magnitude & (kFractions - 1);
    const bool nan = kHasInfinity ? magnitude > kInfinity : magnitude == kMagnitude;
    if (nan) return std::bit_cast<float>(sign | 0x7fc00000u);
    if (kHasInfinity && magnitude == kInfinity) return std::bit_cast<float>(sign | 0x7f800000u);
    const float tiny = static_cast<float>(fraction) * kStep;
    const uint32_t bits = exponent == 0 ? std::bit_cast<uint32_t>(tiny)
                                        : (exponent + kF32Bias - kBias) << kF32Fraction |
                                              fraction << (kF32Fraction - kFraction);
    return std::bit_cast<float>(sign | bits);
  }

  static uint8_t from_f32(float f) {
    const uint32_t bits = std::bit_cast<uint32_t>(f), sign = bits >> 31 << 7;
    const uint32_t magnitude = bits & 0x7fffffff;
    constexpr uint32_t kTooLarge = kHasInfinity ? kInfinity : kMagnitude;
    uint32_t code = 0;
    if (magnitude > 0x7f800000) {
      code = kMagnitude;  // NaN
    } else if (magnitude < kMinNormal) {
      // Adding 2^23 steps leaves the rounded number of steps in the low bits.
      constexpr float kMany = kStep * 0x1p23f;
      code = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + kMany) -
             std::bit_cast<uint32_t>(kMany);
    } else {
      constexpr uint32_t kDropped = kF32Fraction - kFraction;
      const uint32_t half = (1u << (kDropped - 1)) - 1 + (magnitude >> kDropped & 1);
      code = ((magnitude + half) >> kDropped) - ((kF32Bias - kBias) << kFraction);
      if (code > kTooLarge) code = kTooLarge;
    }
    return static_cast<uint8_t>(sign | code);
  }
};

template <class Number>
constexpr Format fp8_format(Dtype dtype) {
  return {.dtype = dtype,
          .decode = decode_plain<uint8_t, Number::to_f32>,
          .encode = encode_plain<uint8_t, Number::from_f32>,
          .plain = Dtype::bf16};  // 7 bits of fraction and f32's exponents
}

}  // namespace

extern const Format kF8E4m3 = fp8_format<Fp8<3, 7, false>>(Dtype::f8_e4m3);
extern const Format kF8E5m2 = fp8_format<Fp8<2, 15, true>>(Dtype::f8_e5m2);

}  // namespace quern
