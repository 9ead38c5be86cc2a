// Decodes weights of any format to f32, for packing and for the exact path. Not compiled per
// instruction set.
#pragma once
#include "quant/format.h"

namespace quern::cpu {

// Rows [first, first + n) to (n, n_cols).
void decode_rows(const QuantMatrix& m, int64_t first, int64_t n, float* out);
// (n, n_in) to a panel (n_in, 32), n <= 32; the columns past n become 0.
void transpose_panel(const float* rows, int64_t n, int64_t n_in, float* panel);

}  // namespace quern::cpu
