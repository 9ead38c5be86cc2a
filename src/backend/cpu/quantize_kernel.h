// Activations of a row to int8: the row has one factor, each 32 of them a power of two.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// A row whose numbers are all below this counts as zero: no factor is ever denormal.
inline constexpr float kSmallestActivation = 0x1p-60f;

// floor(log2(most / largest)) for largest <= most, both normal and positive; at most the range of
// the exponents. A larger power of two would not let the group's largest number fit.
inline int finer_by(float most, float largest) {
  constexpr int kRange = kMaxExponent - kMinExponent;
  int32_t a, b;
  __builtin_memcpy(&a, &most, 4);
  __builtin_memcpy(&b, &largest, 4);
  const int n = (a - b) >> 23;
  return n < kRange ? n : kRange;
}

// 2^n, n in [-126, 127].
inline float exponential(int n) {
  const int32_t bits = (n + 127) << 23;
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

// Codes of 32 numbers in steps of `step`, with the sums that follow from them; returns the rounding
// errors.
template <class V>
QUERN_SIMD void quantize_group(typename V::F32x16& low, typename V::F32x16& high, float inverse,
                               float step, int exponent, ActivationGroup& group) {
  const auto low_codes = V::round_to_int(V::mul(low, V::fill(inverse)));
  const auto high_codes = V::round_to_int(V::mul(high, V::fill(inverse)));
  V::store_i8(group.code, low_codes);
  V::store_i8(group.code + 16, high_codes);
  low = V::fma(V::to_float(low_codes), V::fill(-step), low);
  high = V::fma(V::to_float(high_codes), V::fill(-step), high);
  const int32_t sums[2] = {V::total(low_codes), V::total(high_codes)};
  const float power = exponential(exponent);
  group.exponent = exponent << 23;
  group.scaled_sum = power * static_cast<float>(sums[0] + sums[1]);
  group.start = -32 * (sums[0] + sums[1]);
  group.start128 = -128 * (sums[0] + sums[1]);
  for (int half = 0; half < 2; ++half) {
    group.half_starts[half] = -32 * sums[half];
    group.scaled_half_sums[half] = power * static_cast<float>(sums[half]);
  }
}

// Numbers 32g .. 32g + 31 of a row, zeros behind its end.
template <class V>
QUERN_SIMD void load_group(const float* x, int64_t n_in, int64_t g, typename V::F32x16& low,
                           typename V::F32x16& high) {
  const int64_t left = n_in - kGroup * g;
  if (left >= kGroup) {
    low = V::load(x + kGroup * g);
    high = V::load(x + kGroup * g + 16);
    return;
  }
  const float* at = x + (left > 0 ? kGroup * g : 0);
  low = V::load_part(at, left < 0 ? 0 : left < 16 ? left : 16);
  high = V::load_part(at + (left > 16 ? 16 : 0), left > 16 ? left - 16 : 0);
}

// The largest magnitude of a row; that of each group is left in its scaled_sum.
template <class V>
QUERN_SIMD float find_largest(const float* x, int64_t n_in, int64_t n_groups,
                              ActivationGroup* groups) {
  float most = 0;
  for (int64_t g = 0; g < n_groups; ++g) {
    typename V::F32x16 low, high;
    load_group<V>(x, n_in, g, low, high);
    const float largest = V::largest(V::max(V::abs(low), V::abs(high)));
    groups[g].scaled_sum = largest;
    most = largest > most ? largest : most;
  }
  return most;
}

// What to multiply the row's largest number by (at least 1, below 2), so that steps which are
// powers of two apart fit the groups best: the sum of squared steps is least. A group's step is its
// largest number times the mantissa of (factor * most / largest), so all 16 factors are tried at
// once.
template <class V>
QUERN_SIMD float best_scale(float most, int64_t n_groups, const ActivationGroup* groups) {
  alignas(64) static constexpr float kScaleFactors[16] = {
      1.0f,        1.04427378f, 1.09050773f, 1.13878863f, 1.18920712f, 1.24185781f,
      1.29683955f, 1.35425555f, 1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f,
      1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f};  // 2^(i / 16)
  const auto scale_factors = V::load(kScaleFactors);
  auto sum = V::fill(0.0f);
  for (int64_t g = 0; g < n_groups; ++g) {
    const float largest = groups[g].scaled_sum;
    if (!(largest >= kSmallestActivation)) continue;
    const auto ratio = V::mul(scale_factors, V::fill(most / largest));
    const auto mantissa = V::as_float(
        V::bit_or(V::bit_and(V::as_int(ratio), V::fill_i32(0x7fffff)), V::fill_i32(0x3f800000)));
    const auto step = V::mul(mantissa, V::fill(largest / most));
    sum = V::fma(step, step, sum);
  }
  alignas(64) float sums[16];
  V::store(sums, sum);
  int best = 0;
  for (int i = 1; i < 16; ++i) best = sums[i] < sums[best] ? i : best;
  return kScaleFactors[best];
}

template <class V>
void quantize_row(const float* x, int64_t n_in, RowForm form, std::byte* records) {
  const int row_records = records_per_row(form);
  constexpr float kFiner = 254;  // the rest of a code lies within half a step
  const int64_t n_groups = activation_groups(n_in);
  auto* groups = reinterpret_cast<ActivationGroup*>(records);
  auto* rest = reinterpret_cast<ActivationGroup*>(records + n_groups * sizeof(ActivationGroup) +
                                                  sizeof(ActivationFactor));
  float most = find_largest<V>(x, n_in, n_groups, groups);
  const bool zero = !(most >= kSmallestActivation);
  if (!zero && form != RowForm::int8_already) most *= best_scale<V>(most, n_groups, groups);
  const float step = zero ? 0.0f : most / 127.0f, inverse = zero ? 0.0f : 127.0f / most;
  for (int64_t g = 0; g < n_groups; ++g) {
    typename V::F32x16 low, high;
    load_group<V>(x, n_in, g, low, high);
    const float largest = groups[g].scaled_sum;
    const int n =
        largest >= kSmallestActivation ? finer_by(most, largest) : kMaxExponent - kMinExponent;
    const int exponent = kMaxExponent - n;
    const float finer = exponential(n), coarser = exponential(-n);
    quantize_group<V>(low, high, inverse * finer, step * coarser, exponent, groups[g]);
    if (row_records < 2) continue;
    quantize_group<V>(low, high, inverse * finer * kFiner, step * coarser / kFiner, exponent,
                      rest[g]);
  }
  constexpr float kDown = 0x1p-24f;
  static_assert(kMaxExponent == 24);
  reinterpret_cast<ActivationFactor*>(groups + n_groups)->factor = step * kDown;
  if (row_records == 2)
    reinterpret_cast<ActivationFactor*>(rest + n_groups)->factor = step / kFiner * kDown;
}

}  // namespace quern::cpu
