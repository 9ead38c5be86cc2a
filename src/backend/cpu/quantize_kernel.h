// Activations of a row to int8, 32 at a time: code = round(x * 127 / largest |x|), ties to even.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

// Below this a group counts as zero: no scale is ever denormal.
inline constexpr float kSmallestActivation = 0x1p-60f;

// The numbers of a group that follow from its scale and the sums of its halves.
template <class V>
QUERN_SIMD void finish_group(ActivationGroup& group, float scale, int32_t low, int32_t high) {
  const int32_t sum = low + high;
  group.scale = scale;
  group.scaled_sum = scale * static_cast<float>(sum);
  group.scaled_half_sums[0] = scale * static_cast<float>(low);
  group.scaled_half_sums[1] = scale * static_cast<float>(high);
  group.half_sums[0] = low;
  group.half_sums[1] = high;
  group.start8 = -8 * sum;
  group.start128 = -128 * sum;
}

template <class V>
QUERN_SIMD void quantize_group(typename V::F32x16 low, typename V::F32x16 high,
                               ActivationGroup& group) {
  const float largest = V::largest(V::max(V::abs(low), V::abs(high)));
  const bool zero = !(largest >= kSmallestActivation);
  const auto inverse = V::fill(zero ? 0.0f : 127.0f / largest);
  const auto low_codes = V::round_to_int(V::mul(low, inverse));
  const auto high_codes = V::round_to_int(V::mul(high, inverse));
  V::store_i8(group.code, low_codes);
  V::store_i8(group.code + 16, high_codes);
  finish_group<V>(group, zero ? 0.0f : largest / 127.0f, V::total(low_codes), V::total(high_codes));
}

template <class V>
void quantize_row(const float* x, int64_t n_in, std::byte* record) {
  auto* groups = reinterpret_cast<ActivationGroup*>(record);
  const int64_t n_full = n_in / kGroup, n_groups = activation_groups(n_in);
  for (int64_t g = 0; g < n_full; ++g) {
    quantize_group<V>(V::load(x + kGroup * g), V::load(x + kGroup * g + 16), groups[g]);
  }
  for (int64_t g = n_full; g < n_groups; ++g) {
    const int64_t left = n_in > kGroup * g ? n_in - kGroup * g : 0;
    const float* at = x + kGroup * n_full;
    quantize_group<V>(V::load_part(at, left < 16 ? left : 16),
                      V::load_part(at + (left < 16 ? 0 : 16), left < 16 ? 0 : left - 16),
                      groups[g]);
  }
}

}  // namespace quern::cpu
