// The row-wise kernels, once over the vector vocabulary.
#pragma once
#include <cmath>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd/inline.h"
#include "backend/cpu/simd/math.h"
#include "base/fma.h"

namespace quern::cpu {

// Calls step(i, lanes) for 16 elements at a time; the last step may have fewer.
template <class F>
QUERN_SIMD void each_vector(int64_t n, F step) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) step(i, int64_t{16});
  if (i < n) step(i, n - i);
}

template <class V>
QUERN_SIMD typename V::F32x16 load_lanes(const float* p, int64_t lanes) {
  return lanes == 16 ? V::load(p) : V::load_part(p, lanes);
}

template <class V>
QUERN_SIMD void store_lanes(float* p, int64_t lanes, typename V::F32x16 v) {
  lanes == 16 ? V::store(p, v) : V::store_part(p, lanes, v);
}

template <class V>
void rms_norm(const float* x, const float* weight, float epsilon, int64_t n, float* y) {
  auto squares = V::fill(0.0f);
  each_vector(n, [&](int64_t i, int64_t lanes) {
    const auto v = load_lanes<V>(x + i, lanes);
    squares = V::fma(v, v, squares);
  });
  const float mean = V::total(squares) / static_cast<float>(n);
  const auto scale = V::fill(1.0f / __builtin_sqrtf(mean + epsilon));
  each_vector(n, [&](int64_t i, int64_t lanes) {
    const auto v = V::mul(load_lanes<V>(x + i, lanes), scale);
    store_lanes<V>(y + i, lanes, V::mul(v, load_lanes<V>(weight + i, lanes)));
  });
}

template <class V>
void swiglu(const float* gate, const float* up, int64_t n, float* y) {
  each_vector(n, [&](int64_t i, int64_t lanes) {
    const auto activated = silu<V>(load_lanes<V>(gate + i, lanes));
    store_lanes<V>(y + i, lanes, V::mul(activated, load_lanes<V>(up + i, lanes)));
  });
}

template <class V>
void relu2glu(const float* gate, const float* up, int64_t n, float* y) {
  const auto zero = V::fill(0.0f);
  each_vector(n, [&](int64_t i, int64_t lanes) {
    const auto relu = V::max(zero, load_lanes<V>(gate + i, lanes));  // the second one if it is NaN
    store_lanes<V>(y + i, lanes, V::mul(V::mul(relu, relu), load_lanes<V>(up + i, lanes)));
  });
}

template <class V>
void scale(const float* x, float factor, int64_t n, float* y) {
  const auto by = V::fill(factor);
  each_vector(n, [&](int64_t i, int64_t lanes) {
    store_lanes<V>(y + i, lanes, V::mul(load_lanes<V>(x + i, lanes), by));
  });
}

template <class V>
void round_int8(const float* x, int64_t n, float* y) {
  auto most = V::fill(1e-5f);
  each_vector(n, [&](int64_t i, int64_t lanes) {
    most = V::max(V::abs(load_lanes<V>(x + i, lanes)), most);
  });
  const auto steps = V::fill(127.0f / V::largest(most));
  each_vector(n, [&](int64_t i, int64_t lanes) {
    const auto v = load_lanes<V>(x + i, lanes);
    const auto rounded = V::div(V::to_float(V::round_to_int(V::mul(v, steps))), steps);
    store_lanes<V>(y + i, lanes, V::fma(v, V::fill(0.0f), rounded));  // NaN and Inf pass
  });
}

template <class V>
void add(const float* x, int64_t n, float* y) {
  each_vector(n, [&](int64_t i, int64_t lanes) {
    store_lanes<V>(y + i, lanes, V::add(load_lanes<V>(y + i, lanes), load_lanes<V>(x + i, lanes)));
  });
}

// (a, b) becomes (a cos - b sin, b cos + a sin), each with one fma.
template <class V>
QUERN_SIMD void rotate_halves(float* x, int half, const float* cos, const float* sin) {
  each_vector(half, [&](int64_t i, int64_t lanes) {
    const auto a = load_lanes<V>(x + i, lanes), b = load_lanes<V>(x + half + i, lanes);
    const auto c = load_lanes<V>(cos + i, lanes), s = load_lanes<V>(sin + i, lanes);
    const auto minus_s = V::sub(V::fill(0.0f), s);
    store_lanes<V>(x + i, lanes, V::fma(b, minus_s, V::mul(a, c)));
    store_lanes<V>(x + half + i, lanes, V::fma(a, s, V::mul(b, c)));
  });
}

template <class V>
QUERN_SIMD void rotate_pairs(float* x, int half, const float* cos, const float* sin) {
  for (int i = 0; i < half; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = fused_multiply_add(b, -sin[i], a * cos[i]);
    x[2 * i + 1] = fused_multiply_add(a, sin[i], b * cos[i]);
  }
}

template <class V>
void rope(float* x, int n_heads, int head_dim, int rotated, bool interleaved, const float* cos,
          const float* sin) {
  for (int head = 0; head < n_heads; ++head, x += head_dim) {
    if (interleaved) {
      rotate_pairs<V>(x, rotated / 2, cos, sin);
    } else {
      rotate_halves<V>(x, rotated / 2, cos, sin);
    }
  }
}

}  // namespace quern::cpu
