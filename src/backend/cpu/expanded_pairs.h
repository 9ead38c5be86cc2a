// The products of a K-block (expanded_kernel.h) with records in pairs: where an instruction
// multiplies small matrices, it takes two rows of eight activations and two outputs at once. Sums
// of a group are the same integers, so outputs have the same bits. Only where V::kMultipliesPairs.
#pragma once
#include "backend/cpu/expanded_kernel.h"

namespace quern::cpu {

// Puts the codes of the K-block in the order these products read: of every two quads and every
// strip, the eight bytes of each output together. Plain bytes are copied from the panel.
template <class V>
[[gnu::noinline]] void interleave_k_block(int n_groups, Expanded& w) {
  for (int g = 0; g < n_groups; ++g) {
    const std::byte* from = w.codes + g / 2 * w.two_groups + g % 2 * kGroupBytes;
    std::byte* to = w.code_bytes + g * kGroupBytes;
    for (int q = 0; q < 8; q += 2) {
      // All four lines before the first is written: they may be where they go.
      const auto a = V::load_i32(from + kLine * (2 * q));
      const auto b = V::load_i32(from + kLine * (2 * q + 1));
      const auto c = V::load_i32(from + kLine * (2 * q + 2));
      const auto d = V::load_i32(from + kLine * (2 * q + 3));
      V::interleave_quads(a, c, to + kLine * (2 * q));
      V::interleave_quads(b, d, to + kLine * (2 * q + 2));
    }
  }
  w.codes = w.code_bytes;
  w.two_groups = 2 * kGroupBytes;
}

// Where the sums of a group begin for a zero point of the expanded codes; of the whole group or
// one half.
template <bool kWhole>
QUERN_SIMD int32_t pair_begin(const ActivationGroup& group, int half, int zero) {
  const int32_t start = kWhole ? group.start : group.half_starts[half];  // times -32
  return zero == 0 ? 0 : zero == kExpandedZero ? start : start * (128 / kExpandedZero);
}

// The part of a group, kQuads quads from kFirst on, that shares a scale. Records 2i and 2i + 1 of
// the tile are pair i; the last one may be paired with itself.
template <class V, int kFirst, int kQuads, int kPairs>
QUERN_SIMD void add_pairs_group(const ExpandedTile& t, const std::byte* codes, const float* scales,
                                const float* offsets,
                                const ActivationGroup* const (&groups)[2 * kPairs], int strip,
                                const std::byte*& ahead, typename V::F32x16 (&sum)[2 * kPairs]) {
  constexpr bool kWhole = kQuads == 8;
  const auto scale = V::as_int(V::load(scales + kStripRows * strip));
  // One pair after the other, so that their sums stay in registers; codes are read from the L1
  // cache.
  QUERN_UNROLL for (int i = 0; i < kPairs; ++i) {
    const ActivationGroup &one = *groups[2 * i], &other = *groups[2 * i + 1];
    auto dots = V::fill_pairs(pair_begin<kWhole>(one, kFirst / 4, t.zero),
                              pair_begin<kWhole>(other, kFirst / 4, t.zero));
    QUERN_UNROLL for (int q = kFirst; q < kFirst + kQuads; q += 2) {
      V::prefetch(ahead);
      ahead += 2 * t.ahead_step / kPairs;
      dots = V::dot(dots, codes + kLine * (2 * q + 2 * strip),
                    V::pair_codes(one.code + 4 * q, other.code + 4 * q));
    }
    sum[2 * i] = add_dots<V>(V::one(dots), scale, one, sum[2 * i]);
    sum[2 * i + 1] = add_dots<V>(V::other(dots), scale, other, sum[2 * i + 1]);
  }
  if (!offsets) return;
  const auto offset = V::load(offsets + kStripRows * strip);
  QUERN_UNROLL for (int m = 0; m < 2 * kPairs; ++m) {
    const float total = kWhole ? groups[m]->scaled_sum : groups[m]->scaled_half_sums[kFirst / 4];
    sum[m] = V::fma(offset, V::fill(total), sum[m]);
  }
}

// A tile of 2 * kPairs records, or one less.
template <class V, int kSize, int kPairs>
[[gnu::noinline]] void multiply_pairs(const ExpandedTile& t, int n_records) {
  constexpr int kRecords = 2 * kPairs;
  const bool has_offset = t.rows->w->form.has_offset;
  for (int strip = 0; strip < 2; ++strip) {
    typename V::F32x16 sum[kRecords];
    float* sums = t.sums + kStripRows * strip;
    const ActivationGroup* groups[kRecords];
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      const int record = m < n_records ? m : n_records - 1;
      groups[m] = t.rows->group(t.first_record + record, t.first_group);
      sum[m] = t.is_first ? V::fill(0.0f) : V::load(sums + kPanelRows * record);
    }
    const std::byte* ahead = t.ahead;
    const float *scales = t.w->scales[0], *offsets = has_offset ? t.w->offsets[0] : nullptr;
    for (int g = 0; g < t.n_groups; ++g) {
      const std::byte* codes = t.w->codes + g / 2 * t.w->two_groups + g % 2 * kGroupBytes;
      if constexpr (kSize == kGroup) {
        add_pairs_group<V, 0, 8, kPairs>(t, codes, scales, offsets, groups, strip, ahead, sum);
      } else {
        add_pairs_group<V, 0, 4, kPairs>(t, codes, scales, offsets, groups, strip, ahead, sum);
        add_pairs_group<V, 4, 4, kPairs>(t, codes, scales + kPanelRows,
                                         offsets ? offsets + kPanelRows : nullptr, groups, strip,
                                         ahead, sum);
      }
      scales += kGroup / kSize * kPanelRows;
      if (offsets) offsets += kGroup / kSize * kPanelRows;
      QUERN_UNROLL for (int m = 0; m < kRecords; ++m) groups[m] += 1;
    }
    QUERN_UNROLL for (int m = 0; m < kRecords; ++m) {
      if (m < n_records) V::store(sums + kPanelRows * m, sum[m]);
    }
  }
}

// Tiles have at most four records.
template <class V>
void multiply_pairs_any(int n_records, const ExpandedTile& t) {
  static_assert(V::kTileRows == 4);
  const bool by_16 = t.rows->w->form.group == 16;
  if (n_records > 2)
    return by_16 ? multiply_pairs<V, 16, 2>(t, n_records) : multiply_pairs<V, 32, 2>(t, n_records);
  return by_16 ? multiply_pairs<V, 16, 1>(t, n_records) : multiply_pairs<V, 32, 1>(t, n_records);
}

}  // namespace quern::cpu
