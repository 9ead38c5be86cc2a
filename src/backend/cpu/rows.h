// Row-wise kernels of a forward pass: each works on one row, whose bits depend on nothing else.
#pragma once
#include <cstddef>
#include <cstdint>

namespace quern::cpu {

// One table per ISA and type of the rows: f32, or f64 on the exact path. Sums are taken in
// interleaved parts (16 of f32, 8 of f64) joined in a fixed order, so that every ISA rounds alike.
template <class T>
struct RowKernelsOf {
  // y[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i], i < n. x and y may be the same row.
  void (*rms_norm)(const T* x, const float* weight, float epsilon, int64_t n, T* y);
  // y[i] = silu(gate[i]) * up[i]; y may be gate or up.
  void (*swiglu)(const T* gate, const T* up, int64_t n, T* y);
  // y[i] = max(gate[i], 0)^2 * up[i]; NaN passes; y may be gate or up.
  void (*relu2glu)(const T* gate, const T* up, int64_t n, T* y);
  // y[i] = x[i] * factor; y may be x.
  void (*scale)(const T* x, float factor, int64_t n, T* y);
  // y[i] = round(x[i] * s) / s with s = 127 / max(|x|, 1e-5), ties to even: the row as int8 with
  // one scale. BitNet's definition of the inputs of its products (transformers,
  // integrations/bitnet.py). NaN and Inf pass. y may be x.
  void (*round_int8)(const T* x, int64_t n, T* y);
  // y[i] += x[i]
  void (*add)(const T* x, int64_t n, T* y);
  // Rotates n_heads heads (head_dim apart, the first `rotated` dims of each) in place by the angles
  // of one position. cos, sin: (rotated / 2). interleaved: pairs (2i, 2i+1); otherwise (i, i +
  // rotated/2).
  void (*rope)(T* x, int n_heads, int head_dim, int rotated, bool interleaved, const T* cos,
               const T* sin);
};

using RowKernels = RowKernelsOf<float>;

}  // namespace quern::cpu
