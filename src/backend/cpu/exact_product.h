// Panels of weights decoded to f32 times rows of f64: one chain of fma per output, over ascending
// inputs.
#pragma once
#include "backend/cpu/decode_panel.h"
#include "backend/cpu/exact.h"
#include "backend/cpu/simd/wide.h"

namespace quern::cpu {

// A panel (n_in, 32) of weights and the rows of x it meets.
struct ExactTile {
  const float* panel;
  int64_t n_in;
  const double* x;
  int64_t x_stride;
  double* out;
  int64_t out_stride;
  const float* bias;
  bool add;
};

// Strips of 8 outputs.
template <class V, int kStrips, int kRows>
[[gnu::noinline]] void multiply_exact_tile(const ExactTile& t) {
  using W = Wide<V>;
  for (int first = 0; first < kPanelRows; first += W::kLanes * kStrips) {
    typename W::F64x8 sum[kRows][kStrips];
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = W::fill(0);
    }
    const float* at = t.panel + first;
    const double* x = t.x;
    for (int64_t k = 0; k < t.n_in; ++k, ++x, at += kPanelRows) {
      typename W::F64x8 w[kStrips];
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) w[s] = W::widen(at + W::kLanes * s);
      QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
        const auto a = W::fill(x[m * t.x_stride]);
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = W::fma(w[s], a, sum[m][s]);
      }
    }
    QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
      const int column = first + W::kLanes * s;
      QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
        double* out = t.out + m * t.out_stride + column;
        auto v = sum[m][s];
        if (t.bias) v = W::add(v, W::widen(t.bias + column));
        if (t.add) v = W::add(W::load(out), v);
        W::store(out, v);
      }
    }
  }
}

template <class V, int kRows = V::kWideRows>
QUERN_SIMD void multiply_exact_rows(int n_rows, const ExactTile& t) {
  if (n_rows == kRows) return multiply_exact_tile<V, V::kWideStrips, kRows>(t);
  if constexpr (kRows > 1) multiply_exact_rows<V, kRows - 1>(n_rows, t);
}

// scratch: 32 decoded rows (n_in), then the panel (n_in, 32).
template <class V>
void multiply_exact(const QuantMatrix& w, const double* x, int64_t x_stride, int n_rows,
                    int64_t first_panel, int64_t last_panel, const EpilogueOf<double>& epilogue,
                    std::byte* scratch) {
  auto* decoded = reinterpret_cast<float*>(scratch);
  float* panel = decoded + kPanelRows * w.n_cols;
  const int n_tiles = (n_rows + V::kWideRows - 1) / V::kWideRows;
  for (int64_t p = first_panel; p < last_panel; ++p) {
    const int64_t at = kPanelRows * p;
    const int64_t n = w.n_rows - at < kPanelRows ? w.n_rows - at : kPanelRows;
    decode_rows(w, at, n, decoded);
    transpose_panel(decoded, n, w.n_cols, panel);
    for (int tile = 0; tile < n_tiles; ++tile) {
      const int64_t row = int64_t{n_rows} * tile / n_tiles;
      const int64_t end = int64_t{n_rows} * (tile + 1) / n_tiles;
      const ExactTile t{panel,
                        w.n_cols,
                        x + row * x_stride,
                        x_stride,
                        epilogue.out + row * epilogue.out_stride + at,
                        epilogue.out_stride,
                        epilogue.bias ? epilogue.bias + at : nullptr,
                        epilogue.add};
      multiply_exact_rows<V>(static_cast<int>(end - row), t);
    }
  }
}

}  // namespace quern::cpu
