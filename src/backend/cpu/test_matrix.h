// Random weights of any format, and rows of activations, for the tests and the benchmark.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "base/check.h"
#include "quant/format.h"

namespace quern::cpu::testing_support {

// Zeroed memory at a multiple of 64 bytes.
template <class T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(int64_t n)
      : n_(n), data_(static_cast<T*>(std::aligned_alloc(64, (n * sizeof(T) + 127) / 64 * 64))) {
    CHECK(data_, "test memory");
    std::memset(static_cast<void*>(data_.get()), 0, n * sizeof(T));
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return n_; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  int64_t n_ = 0;
  std::unique_ptr<T, Free> data_;
};

struct Weights {
  std::vector<std::byte> bytes;
  QuantMatrix matrix;          // a view of bytes
  std::vector<float> decoded;  // (n_rows, n_cols)
};

inline bool tame(const std::vector<float>& values) {
  for (const float v : values) {
    if (!(std::abs(v) < 100)) return false;
  }
  return true;
}

// Random blocks, each drawn until its weights are tame numbers. Formats laid out over the whole
// tensor are drawn as a whole.
inline Weights random_matrix(Dtype dtype, int64_t n_rows, int64_t n_cols, unsigned seed) {
  std::mt19937 random(seed);
  const Format& format = *find_format(dtype);
  const int64_t total = matrix_bytes(dtype, n_rows, n_cols);
  CHECK(total >= 0, "a shape this format does not have");
  Weights w;
  w.bytes.resize(total);
  w.decoded.resize(n_rows * n_cols);
  w.matrix = {dtype, n_rows, n_cols, w.bytes};
  const bool blocked = info(dtype).bytes != 0;
  const int64_t piece = blocked ? info(dtype).bytes : total;
  std::vector<float> weights(blocked ? info(dtype).block : n_rows * n_cols);
  const int64_t columns = blocked ? info(dtype).block : n_cols;
  for (int64_t at = 0; at < total; at += piece) {
    do {
      for (int64_t i = 0; i < piece; ++i) w.bytes[at + i] = static_cast<std::byte>(random());
      if (!blocked) std::memset(w.bytes.data() + total - 4, 0, 4);
      const QuantMatrix block{
          dtype, blocked ? 1 : n_rows, columns, {w.bytes.data() + at, static_cast<size_t>(piece)}};
      format.decode(block, 0, block.n_rows, weights.data());
    } while (!tame(weights));
  }
  format.decode(w.matrix, 0, n_rows, w.decoded.data());
  return w;
}

// (n_rows, n) of normal numbers with some large ones.
inline std::vector<float> random_rows(int64_t n_rows, int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n_rows * n);
  for (float& v : x) v = normal(random) * (random() % 61 ? 1.0f : 12.0f);
  return x;
}

}  // namespace quern::cpu::testing_support
