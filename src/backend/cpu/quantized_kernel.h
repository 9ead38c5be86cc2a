// Panels of packed integer weights times rows of int8 activations.
//
// Per group of inputs that share a scale of the weights (16 or 32) the dot products are exact
// integers; then, in f32 and in this order,
//   sum = fma(float(dot), weight_scale * 2^e, sum)              2^e: of the group of activations
//   sum = fma(offset, 2^e * sum_of_activation_codes, sum)       if the format has offsets
// At the end the sum is multiplied by the row scale of the weights, if there is one, and by the
// factor of the activations; of a row with a residual record, both sums, and the second is added to
// the first. So an output depends on its row and its column alone.
//
// The GEMV and small-M kernels (small_m_kernel.h) read the packed codes directly, at the speed of
// memory. For more records a K-block of a panel is first expanded to bytes and f32 scales
// (expanded_kernel.h), which all tiles of rows then share: one loop for all formats.
#pragma once
#include "backend/cpu/expanded_kernel.h"
#include "backend/cpu/expanded_pairs.h"
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"
#include "backend/cpu/small_m_kernel.h"

namespace quern::cpu {

// Panel p in tiles of at most `at_once` records, of equal size; false: no small-M kernel reads this
// matrix.
template <class V>
bool multiply_small_m_tiles(const QuantizedRows& rows, int at_once, int64_t p) {
  const int row_records = rows.pairs ? 2 : 1, n_rows = rows.n_rows();
  const int n_tiles = (rows.n_records + at_once - 1) / at_once;
  for (int tile = 0; tile < n_tiles; ++tile) {
    const int first = n_rows * tile / n_tiles, end = n_rows * (tile + 1) / n_tiles;
    if (!multiply_small_m<V>(rows.from(first * row_records, (end - first) * row_records), p))
      return false;
  }
  return true;
}

template <class V>
void multiply_quantized(const PackedMatrix& w, const std::byte* records, int64_t row_stride,
                        int n_rows, int row_records, int64_t first_panel, int64_t last_panel,
                        const Epilogue& epilogue) {
  QuantizedRows rows{
      &w, records, row_stride / row_records, row_records == 2, n_rows * row_records, epilogue};
  if constexpr (V::kReadsPacked) {
    // Two tiles of four are still faster than expanding for them.
    const int at_once = small_m_records<V>(w), usual = at_once == 4 ? 8 : at_once;
    const int most = w.tuning->small_m_records > 0 ? w.tuning->small_m_records : usual;
    if (rows.n_records <= most) {
      while (first_panel < last_panel && multiply_small_m_tiles<V>(rows, at_once, first_panel))
        ++first_panel;
    }
  }
  // Rows are taken in blocks of equal size whose activations stay in the second-level cache.
  const int most = block_tiles(w) * tile_rows<V>(w, row_records),
            n_blocks = (n_rows + most - 1) / most;
  for (int i = 0; i < n_blocks; ++i) {
    const int first = static_cast<int>(int64_t{n_rows} * i / n_blocks);
    const int end = static_cast<int>(int64_t{n_rows} * (i + 1) / n_blocks);
    const QuantizedRows block = rows.from(first * row_records, (end - first) * row_records);
    for (int64_t p = first_panel; p < last_panel; ++p) multiply_expanded<V>(block, p);
  }
}

}  // namespace quern::cpu
