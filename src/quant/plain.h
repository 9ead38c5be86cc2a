// Formats whose weights stand alone, each a number of some bits: no blocks, no integer form.
#pragma once
#include <cstring>

#include "base/check.h"
#include "quant/format.h"

namespace quern {

template <class Stored, float (*to_f32)(Stored)>
void decode_plain(const QuantMatrix& m, int64_t first, int64_t n, float* out) {
  CHECK(first >= 0 && n >= 0 && first + n <= m.n_rows, "rows outside the matrix");
  CHECK(static_cast<int64_t>(m.data.size() / sizeof(Stored)) >= m.n_rows * m.n_cols,
        "matrix data is shorter than its shape");
  const std::byte* at = m.data.data() + first * m.n_cols * sizeof(Stored);
  for (int64_t i = 0; i < n * m.n_cols; ++i, at += sizeof(Stored)) {
    Stored stored;
    std::memcpy(&stored, at, sizeof stored);
    out[i] = to_f32(stored);
  }
}

template <class Stored, Stored (*from_f32)(float)>
void encode_plain(const float* in, int64_t n, std::byte* blocks) {
  for (int64_t i = 0; i < n; ++i) {
    const Stored stored = from_f32(in[i]);
    std::memcpy(blocks + i * sizeof(Stored), &stored, sizeof stored);
  }
}

}  // namespace quern
