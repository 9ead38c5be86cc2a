// The row-wise kernels in f64. Where elements are independent and each is an operation or two, the
// loops are left to the compiler: the bits are the same however it makes vectors of them.
#pragma once
#include "backend/cpu/exact.h"
#include "backend/cpu/simd/wide.h"
#include "base/fma.h"

namespace quern::cpu {

template <class V>
struct ExactRows {
  using W = Wide<V>;
  using F64x8 = typename W::F64x8;

  static void rms_norm(const double* x, const float* weight, float epsilon, int64_t n, double* y) {
    F64x8 squares = W::fill(0);
    for (int64_t i = 0; i < n; i += W::kLanes) {
      const F64x8 v = n - i >= W::kLanes ? W::load(x + i) : W::load_part(x + i, n - i);
      squares = W::fma(v, v, squares);
    }
    const double mean = W::total(squares) / static_cast<double>(n);
    const double scale = 1 / __builtin_sqrt(mean + double{epsilon});
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * double{weight[i]};
  }

  // silu(x) = x / (1 + e^-x)
  static void swiglu(const double* gate, const double* up, int64_t n, double* y) {
    for (int64_t i = 0; i < n; i += W::kLanes) {
      const int64_t lanes = n - i < W::kLanes ? n - i : W::kLanes;
      const F64x8 g = W::load_part(gate + i, lanes), u = W::load_part(up + i, lanes);
      const F64x8 e = W::exp(W::sub(W::fill(0), g));
      W::store_part(y + i, lanes, W::mul(W::div(g, W::add(W::fill(1), e)), u));
    }
  }

  static void relu2glu(const double* gate, const double* up, int64_t n, double* y) {
    for (int64_t i = 0; i < n; ++i) {
      const double relu = gate[i] < 0 ? 0 : gate[i];  // NaN and Inf pass
      y[i] = relu * relu * up[i];
    }
  }

  static void scale(const double* x, float factor, int64_t n, double* y) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * double{factor};
  }

  static void round_int8(const double* x, int64_t n, double* y) {
    double most = 1e-5;
    for (int64_t i = 0; i < n; ++i)
      most = __builtin_fabs(x[i]) > most ? __builtin_fabs(x[i]) : most;
    const double steps = 127 / most;
    for (int64_t i = 0; i < n; ++i) y[i] = to_nearest(x[i] * steps) / steps;
  }

  static void add(const double* x, int64_t n, double* y) {
    for (int64_t i = 0; i < n; ++i) y[i] += x[i];
  }

  // (a, b) becomes (a cos - b sin, b cos + a sin), each with one fma.
  static void rope(double* x, int n_heads, int head_dim, int rotated, bool interleaved,
                   const double* cos, const double* sin) {
    const int half = rotated / 2, apart = interleaved ? 1 : half, step = interleaved ? 2 : 1;
    for (int head = 0; head < n_heads; ++head, x += head_dim)
      for (int i = 0; i < half; ++i) {
        double& first = x[i * step];
        double& second = x[i * step + apart];
        const double a = first, b = second;
        first = fused_multiply_add(b, -sin[i], a * cos[i]);
        second = fused_multiply_add(a, sin[i], b * cos[i]);
      }
  }

 private:
  // To the nearest integer, ties to even, of what is below 2^51: the sum's last bit is worth 1.
  QUERN_SIMD double to_nearest(double x) { return (x + 0x1.8p52) - 0x1.8p52; }
};

template <class V>
constexpr RowKernelsOf<double> exact_row_kernels() {
  using R = ExactRows<V>;
  return {R::rms_norm, R::swiglu, R::relu2glu, R::scale, R::round_int8, R::add, R::rope};
}

}  // namespace quern::cpu
