// bitnet.cpp's ternary formats, which are laid out over a whole matrix and end in one f32 scale.
#pragma once
#include <cstdint>
#include <optional>

#include "quant/format.h"

namespace quern {

// How bitnet.cpp tiled a matrix of n_rows x n_cols for its table kernels. The file does not tell:
// the numbers were compiled in per model, so only the shapes of its three presets can be read.
struct LutTiling {
  int tile_rows;   // rows of a tile (their BM)
  int tile_cols;   // columns of a block within the tile (their BK)
  int group_rows;  // rows that one vector instruction works on (their bm)
};
std::optional<LutTiling> tl1_tiling(int64_t n_rows, int64_t n_cols);
std::optional<LutTiling> tl2_tiling(int64_t n_rows, int64_t n_cols);

// Where the f32 scale of an i2_s, tl1 or tl2 matrix stands; the matrix takes 32 bytes more than
// that. -1: rows that are not whole blocks (i2_s), or a shape whose tiling is not known.
int64_t bitnet_scale_at(Dtype dtype, int64_t n_rows, int64_t n_cols);

// That scale; m has one of the three types and a shape that bitnet_scale_at knows.
float bitnet_scale(const QuantMatrix& m);

}  // namespace quern
