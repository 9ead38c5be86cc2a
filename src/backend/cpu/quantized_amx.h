// Quantized products by int8 tiles (AMX), for batches of many rows, with the bits of
// quantized_kernel.h.
//
// A tile product is the exact integers of up to 16 records and 16 outputs over one group of inputs
// that share a scale; the vector units only do the f32 chain, three operations per vector instead
// of ten for a dot product. While they work on a group's integers, the next group's are made.
// Included by files compiled for AMX only.
#pragma once
#include "backend/cpu/expanded_kernel.h"
#include "backend/cpu/quantized_kernel.h"
#include "backend/cpu/simd/amx.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

// A separate type: the linker could otherwise take instances compiled for this set for those of
// isa_avx512vnni.cc, on processors without it.
struct SignedBytes : Avx512Vnni {
  QUERN_SIMD I32x16 add_bytes(I32x16 a, I32x16 b) { return _mm512_add_epi8(a, b); }
};

class TileQuantized {
  using V = SignedBytes;
  static constexpr int kMaxTiles = 8;       // of up to 16 records that share a K-block
  static constexpr int kKBlockGroups = 10;  // whose codes, scales and records stay in the cache

 public:
  // At most 16 * kMaxTiles records.
  static void multiply(const QuantizedRows& rows, int64_t first_panel, int64_t last_panel) {
    const TileQuantized product(rows);
    Tiles::configure_int8(product.tile_rows_, rows.w->form.group);
    for (int64_t p = first_panel; p < last_panel; ++p) product.panel(p);
    Tiles::release();
  }
  static constexpr int kMaxRecords = 16 * kMaxTiles;

 private:
  explicit TileQuantized(const QuantizedRows& rows)
      : rows_(rows),
        unit_(rows.w->layout, rows.w->form),
        n_tiles_((rows.n_records + 15) / 16),
        tile_rows_((rows.n_records + n_tiles_ - 1) / n_tiles_) {}

  // Tiles have the same size; the last ones reach back over records that others have too: their
  // results are the same.
  int first_record(int tile) const {
    const int last = rows_.n_records - tile_rows_, first = tile * tile_rows_;
    return first < last ? first : last;
  }

  void panel(int64_t p) const {
    const PackedMatrix& w = *rows_.w;
    const std::byte* panel = w.data.data() + p * unit_.panel_bytes(w.n_in);
    const int unit_groups = unit_.k / kGroup, step = kKBlockGroups / unit_groups;
    const int64_t n_units = unit_.count(w.n_in);
    Expanded expanded;
    alignas(64) float sums[kMaxTiles][2][16][kStripRows];
    for (int64_t first = 0; first < n_units; first += step) {
      const int n = static_cast<int>(n_units - first < step ? n_units - first : step);
      expand<V>(w, unit_, panel, first, n, expanded);
      const std::byte* ahead = panel + unit_.at(first + n);
      const int64_t bytes = unit_.at(first + n) - unit_.at(first);
      KBlock at{.w = expanded,
                .group = first * unit_groups,
                .n_groups = n * unit_groups,
                .ahead = ahead,
                .ahead_step = bytes / (2 * n_tiles_ * n * unit_groups) + 1,
                .is_first = first == 0};
      for (int tile = 0; tile < n_tiles_; ++tile) {
        for (at.strip = 0; at.strip < 2; ++at.strip) {
          at.sums = sums[tile][at.strip][0];
          at.records = rows_.group(first_record(tile), at.group);
          add_k_block(at);
        }
      }
    }
    finish(p, panel, sums);
  }

  struct KBlock {
    const Expanded& w;
    int64_t group;
    int n_groups;
    const std::byte* ahead;  // packed weights to prefetch, a share with every group
    int64_t ahead_step;
    bool is_first;
    int strip = 0;
    float* sums = nullptr;  // (tile_rows_, 16)
    const ActivationGroup* records = nullptr;
  };

  void add_k_block(KBlock& at) const {
    const IntegerForm& form = rows_.w->form;
    if (form.group == 16) {
      form.has_offset ? by_rows<16, true>(at) : by_rows<16, false>(at);
    } else {
      form.has_offset ? by_rows<32, true>(at) : by_rows<32, false>(at);
    }
  }
  template <int kSize, bool kOffset, int kRows = 16>
  void by_rows(KBlock& at) const {
    if (tile_rows_ == kRows) return add_tile<kSize, kOffset, kRows>(at);
    if constexpr (kRows > 1) by_rows<kSize, kOffset, kRows - 1>(at);
  }

  // A group's integers, written to `dots`.
  template <int kSize, int kParity>
  QUERN_SIMD void make_dots(const KBlock& at, int i, int64_t stride, int32_t* dots) {
    constexpr int kParts = kGroup / kSize;
    const int g = i / kParts, part = i % kParts;
    const auto* a = reinterpret_cast<const std::byte*>(at.records + g) + kSize * part;
    const std::byte* b = at.w.codes + g * kGroupBytes + part * (kGroupBytes / 2) + kLine * at.strip;
    Tiles::zero<kParity>();
    Tiles::load<4 + kParity>(a, stride);
    Tiles::load<6 + kParity>(b, 2 * kLine);
    Tiles::add_int8_product<kParity, 4 + kParity, 6 + kParity>();
    Tiles::store<kParity>(dots, kLine);
  }

  template <int kSize, bool kOffset, int kRows>
  QUERN_SIMD void scale_dots(const KBlock& at, int i, int64_t stride, const int32_t* dots,
                             V::F32x16 (&sum)[kRows]) {
    constexpr int kParts = kGroup / kSize;
    const auto* group = reinterpret_cast<const std::byte*>(at.records + i / kParts);
    const auto scale = V::as_int(V::load(at.w.scales[i] + kStripRows * at.strip));
    const auto offset = kOffset ? V::load(at.w.offsets[i] + kStripRows * at.strip) : V::fill(0.0f);
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      const auto& record = *reinterpret_cast<const ActivationGroup*>(group + m * stride);
      sum[m] = add_dots<V>(V::load_i32(dots + kStripRows * m), scale, record, sum[m]);
      if constexpr (kOffset) {
        const float codes = kParts == 1 ? record.scaled_sum : record.scaled_half_sums[i % kParts];
        sum[m] = V::fma(offset, V::fill(codes), sum[m]);
      }
    }
  }

  template <int kSize, bool kOffset, int kRows>
  [[gnu::noinline]] void add_tile(KBlock& at) const {
    const int n = at.n_groups * kGroup / kSize;
    const int64_t stride = rows_.record_stride;
    alignas(64) int32_t dots[2][kRows][kStripRows];
    V::F32x16 sum[kRows];
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      sum[m] = at.is_first ? V::fill(0.0f) : V::load(at.sums + kStripRows * m);
    }
    make_dots<kSize, 0>(at, 0, stride, dots[0][0]);
    for (int i = 0; i < n; i += 2) {
      for (int64_t line = 0; line < at.ahead_step * 2 * kSize / kGroup; line += kLine)
        V::prefetch(at.ahead + line);
      at.ahead += at.ahead_step * 2 * kSize / kGroup;
      if (i + 1 < n) make_dots<kSize, 1>(at, i + 1, stride, dots[1][0]);
      scale_dots<kSize, kOffset>(at, i, stride, dots[0][0], sum);
      if (i + 1 == n) break;
      if (i + 2 < n) make_dots<kSize, 0>(at, i + 2, stride, dots[0][0]);
      scale_dots<kSize, kOffset>(at, i + 1, stride, dots[1][0], sum);
    }
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) V::store(at.sums + kStripRows * m, sum[m]);
  }

  // A record's tile and its place there.
  const float* sums_of(int record, const float (*sums)[2][16][kStripRows], int strip) const {
    int tile = record / tile_rows_;
    return sums[tile][strip][record - first_record(tile)];
  }

  void finish(int64_t p, const std::byte* panel, const float (*sums)[2][16][kStripRows]) const {
    const auto* row_scales = unit_.row_bytes ? reinterpret_cast<const float*>(panel) : nullptr;
    const int row_records = rows_.pairs ? 2 : 1;
    for (int m = 0; m < rows_.n_records; m += row_records) {
      for (int s = 0; s < 2; ++s) {
        V::F32x16 first[1] = {V::load(sums_of(m, sums, s))};
        if (!rows_.pairs) {
          finish_sums<V>(rows_, m, p, s, row_scales, first);
          continue;
        }
        V::F32x16 two[2] = {first[0], V::load(sums_of(m + 1, sums, s))};
        finish_sums<V>(rows_, m, p, s, row_scales, two);
      }
    }
  }

  const QuantizedRows& rows_;
  Unit unit_;
  int n_tiles_, tile_rows_;
};

}  // namespace quern::cpu
