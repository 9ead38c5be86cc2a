// Panels of f32, f16 or bf16 weights times rows of f32 activations: one chain of fma per output,
// over ascending inputs.
#pragma once
#include "backend/cpu/packed_layout.h"
#include "backend/cpu/simd/inline.h"

namespace quern::cpu {

template <class V, int kStrips, int kRows>
QUERN_SIMD void store_tile(const typename V::F32x16 (&sum)[kRows][kStrips], float* out,
                           int64_t out_stride, const float* bias, bool add, int strip) {
  QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
    const int at = kStripRows * (strip + s);
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      auto v = sum[m][s];
      if (bias) v = V::add(v, V::load(bias + at));
      if (add) v = V::add(V::load(out + m * out_stride + at), v);
      V::store(out + m * out_stride + at, v);
    }
  }
}

// A panel (n_in, 32) of weights and the rows of x it meets.
struct FloatTile {
  const std::byte* panel;
  int64_t n_in;
  const float* x;
  int64_t x_stride;
  float* out;
  int64_t out_stride;
  const float* bias;
  bool add;
};

inline constexpr int weight_bytes(Layout layout) { return layout == Layout::f32 ? 4 : 2; }

template <class V, Layout kLayout>
QUERN_SIMD typename V::F32x16 load_weights(const std::byte* at) {
  if constexpr (kLayout == Layout::f32) return V::load(reinterpret_cast<const float*>(at));
  if constexpr (kLayout == Layout::f16) return V::load_f16(reinterpret_cast<const uint16_t*>(at));
  if constexpr (kLayout == Layout::bf16) return V::load_bf16(reinterpret_cast<const uint16_t*>(at));
}

template <class V, Layout kLayout, int kStrips, int kRows>
[[gnu::noinline]] void multiply_float_tile(const FloatTile& t) {
  constexpr int kBytes = weight_bytes(kLayout);
  for (int strip = 0; strip < kPanelRows / kStripRows; strip += kStrips) {
    typename V::F32x16 sum[kRows][kStrips];
    QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = V::fill(0.0f);
    }
    const std::byte* at = t.panel + strip * kStripRows * kBytes;
    const float* x = t.x;
    for (int64_t k = 0; k < t.n_in; ++k, ++x, at += kPanelRows * kBytes) {
      V::prefetch(at + 2048);
      typename V::F32x16 w[kStrips];
      QUERN_UNROLL for (int s = 0; s < kStrips; ++s) {
        w[s] = load_weights<V, kLayout>(at + s * kStripRows * kBytes);
      }
      QUERN_UNROLL for (int m = 0; m < kRows; ++m) {
        const auto a = V::fill(x[m * t.x_stride]);
        QUERN_UNROLL for (int s = 0; s < kStrips; ++s) sum[m][s] = V::fma(w[s], a, sum[m][s]);
      }
    }
    store_tile<V>(sum, t.out, t.out_stride, t.bias, t.add, strip);
  }
}

template <class V, Layout kLayout, int kRows = V::kFloatTileRows>
QUERN_SIMD void multiply_float_rows(int n_rows, const FloatTile& t) {
  if (n_rows == kRows) return multiply_float_tile<V, kLayout, V::kTileStrips, kRows>(t);
  if constexpr (kRows > 1) multiply_float_rows<V, kLayout, kRows - 1>(n_rows, t);
}

// All rows of one panel; panel_index places the outputs.
template <class V, Layout kLayout>
QUERN_SIMD void multiply_float_panel(const std::byte* panel, int64_t panel_index, int64_t n_in,
                                     const float* x, int64_t x_stride, int n_rows,
                                     const Epilogue& epilogue) {
  const int n_tiles = (n_rows + V::kFloatTileRows - 1) / V::kFloatTileRows;
  const int64_t at = kPanelRows * panel_index;
  for (int tile = 0; tile < n_tiles; ++tile) {
    const int64_t row = int64_t{n_rows} * tile / n_tiles;
    const int64_t end = int64_t{n_rows} * (tile + 1) / n_tiles;
    const FloatTile t{panel,
                      n_in,
                      x + row * x_stride,
                      x_stride,
                      epilogue.out + row * epilogue.out_stride + at,
                      epilogue.out_stride,
                      epilogue.bias ? epilogue.bias + at : nullptr,
                      epilogue.add};
    multiply_float_rows<V, kLayout>(static_cast<int>(end - row), t);
  }
}

template <class V>
void multiply_float(const PackedMatrix& w, const float* x, int64_t x_stride, int n_rows,
                    int64_t first_panel, int64_t last_panel, const Epilogue& epilogue) {
  const int64_t panel_bytes = w.n_in * kPanelRows * weight_bytes(w.layout);
  for (int64_t p = first_panel; p < last_panel; ++p) {
    const std::byte* panel = w.data.data() + p * panel_bytes;
    if (w.layout == Layout::f32) {
      multiply_float_panel<V, Layout::f32>(panel, p, w.n_in, x, x_stride, n_rows, epilogue);
    } else if (w.layout == Layout::f16) {
      multiply_float_panel<V, Layout::f16>(panel, p, w.n_in, x, x_stride, n_rows, epilogue);
    } else {
      multiply_float_panel<V, Layout::bf16>(panel, p, w.n_in, x, x_stride, n_rows, epilogue);
    }
  }
}

}  // namespace quern::cpu
