// The row-wise kernels of the exact path: the same bits on every instruction set, and the digits of
// f64.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"

namespace quern::cpu {
namespace {

using Rows = RowKernelsOf<double>;
using Row = std::vector<double>;

constexpr int64_t kWidths[] = {1, 7, 8, 9, 64, 576, 1001};
constexpr double kUlp = 0x1p-52;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Numbers that no f32 holds.
Row random_row(int64_t n, unsigned seed) {
  const std::vector<float> coarse = testing_support::random_rows(1, n, seed);
  Row row(coarse.begin(), coarse.end());
  for (double& x : row) x /= 3;
  return row;
}
std::vector<float> random_weights(int64_t n) { return testing_support::random_rows(1, n, 9); }

bool same_bits(const Row& a, const Row& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// Calls kernel(rows, x, y), which writes y from x (of the same length), on every instruction set,
// also in place; returns what the scalar one gives.
template <class F>
Row same_on_all(const Row& x, F kernel) {
  const CpuFeatures features = detect_cpu_features();
  Row first;
  for (const Kernels* kernels : all_kernels()) {
    if (!kernels->supported(features)) continue;
    Row y(x.size(), NAN), in_place = x;
    kernel(kernels->exact.rows, x.data(), y.data());
    kernel(kernels->exact.rows, in_place.data(), in_place.data());
    if (first.empty()) first = y;
    EXPECT_TRUE(same_bits(y, first)) << kernels->isa;
    EXPECT_TRUE(same_bits(in_place, first)) << kernels->isa << " in place";
  }
  return first;
}

// Each kernel, and what it gives element by element, computed otherwise.
struct Case {
  std::string name;
  std::function<void(const Rows&, int64_t n, const double* x, double* y)> run;
  std::function<double(const Row& x, int64_t i)> want;
  double ulps;
};

std::vector<Case> cases() {
  static const std::vector<float> weights = random_weights(2048);
  static const Row other = random_row(2048, 5);
  return {
      {"rms_norm",
       [](const Rows& k, int64_t n, const double* x, double* y) {
         k.rms_norm(x, weights.data(), 1e-5f, n, y);
       },
       [](const Row& x, int64_t i) {
         long double squares = 0;
         for (const double v : x) squares += static_cast<long double>(v) * v;
         const long double mean = squares / static_cast<long double>(x.size());
         return static_cast<double>(x[i] / std::sqrt(mean + 1e-5f) * weights[i]);
       },
       64},
      {"swiglu",
       [](const Rows& k, int64_t n, const double* x, double* y) {
         k.swiglu(x, other.data(), n, y);
       },
       [](const Row& x, int64_t i) {
         return static_cast<double>(x[i] / (1 + std::exp(-static_cast<long double>(x[i]))) *
                                    other[i]);
       },
       6},
      {"relu2glu",
       [](const Rows& k, int64_t n, const double* x, double* y) {
         k.relu2glu(x, other.data(), n, y);
       },
       [](const Row& x, int64_t i) { return x[i] > 0 ? x[i] * x[i] * other[i] : 0.0; }, 0},
      {"scale",
       [](const Rows& k, int64_t n, const double* x, double* y) { k.scale(x, 0.3f, n, y); },
       [](const Row& x, int64_t i) { return x[i] * double{0.3f}; }, 0},
      {"round_int8",
       [](const Rows& k, int64_t n, const double* x, double* y) { k.round_int8(x, n, y); },
       [](const Row& x, int64_t i) {
         double most = 1e-5;
         for (const double v : x) most = std::max(most, std::abs(v));
         return std::nearbyint(x[i] * (127 / most)) / (127 / most);
       },
       0},
      {"add",
       [](const Rows& k, int64_t n, const double* x, double* y) {
         if (x != y) std::copy(x, x + n, y);
         k.add(other.data(), n, y);
       },
       [](const Row& x, int64_t i) { return x[i] + other[i]; }, 0},
  };
}

TEST(ExactRows, AgreeWithPlainFormulas) {
  for (const Case& c : cases())
    for (const int64_t n : kWidths) {
      SCOPED_TRACE(c.name + " of " + std::to_string(n));
      const Row x = random_row(n, 1);
      const Row y = same_on_all(
          x, [&](const Rows& k, const double* in, double* out) { c.run(k, n, in, out); });
      for (int64_t i = 0; i < n; ++i) {
        const double want = c.want(x, i);
        ASSERT_NEAR(y[i], want, c.ulps * kUlp * std::abs(want)) << i;
      }
    }
}

TEST(ExactRows, SiluHoldsOverTheWholeRange) {
  Row gate;
  for (double g = -700; g <= 720; g += 0.173) gate.push_back(g);
  for (const double g : {0.0, -0.0, 1e-30, -1e-30, 1e300, -1e3, -1e300}) gate.push_back(g);
  const Row up(gate.size(), 1.5);
  const Row y = same_on_all(gate, [&](const Rows& k, const double* in, double* out) {
    k.swiglu(in, up.data(), static_cast<int64_t>(gate.size()), out);
  });
  for (size_t i = 0; i < gate.size(); ++i) {
    const long double g = gate[i], want = 1.5L * g / (1 + std::exp(-g));
    EXPECT_NEAR(y[i], static_cast<double>(want), 4 * kUlp * std::abs(want) + 1e-290) << gate[i];
  }
}

TEST(ExactRows, WhatIsNoNumberPasses) {
  const Row x = {NAN, 1, kInfinity, -2}, up = {1, NAN, 1, 1};
  const auto of = [&](auto run) {
    const Row y = same_on_all({1, 2, 3, 4}, [&](const Rows& k, const double*, double* out) {
      double row[4];
      run(k, row);
      for (int i = 0; i < 4; ++i) out[i] = std::isnan(row[i]) ? 7 : row[i];
    });
    return y;
  };
  EXPECT_EQ(of([&](const Rows& k, double* y) { k.relu2glu(x.data(), up.data(), 4, y); }),
            (Row{7, 7, kInfinity, 0}));
  const Row silu = of([&](const Rows& k, double* y) { k.swiglu(x.data(), up.data(), 4, y); });
  EXPECT_EQ((Row{silu[0], silu[1], silu[2]}), (Row{7, 7, kInfinity}));
  EXPECT_EQ(of([&](const Rows& k, double* y) {
              k.round_int8(Row{NAN, 1, -2, 0.5}.data(), 4, y);
            })[0],
            7);
}

TEST(ExactRows, RopeRotatesPairsByTheirAngles) {
  for (const bool interleaved : {false, true})
    for (const int rotated : {64, 40, 2}) {
      const int head_dim = 64, n_heads = 3, half = rotated / 2;
      const Row x = random_row(n_heads * head_dim, 1), angle = random_row(half, 2);
      Row cos(half), sin(half);
      for (int i = 0; i < half; ++i) cos[i] = std::cos(angle[i]), sin[i] = std::sin(angle[i]);
      const Row y = same_on_all(x, [&](const Rows& k, const double* in, double* out) {
        if (in != out) std::copy(in, in + x.size(), out);
        k.rope(out, n_heads, head_dim, rotated, interleaved, cos.data(), sin.data());
      });
      for (int head = 0; head < n_heads; ++head) {
        const double* in = x.data() + head * head_dim;
        const double* out = y.data() + head * head_dim;
        for (int i = 0; i < half; ++i) {
          const int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
          const double bound = 2 * kUlp * (std::abs(in[a]) + std::abs(in[b]));
          EXPECT_NEAR(out[a], in[a] * cos[i] - in[b] * sin[i], bound);
          EXPECT_NEAR(out[b], in[b] * cos[i] + in[a] * sin[i], bound);
        }
        for (int i = rotated; i < head_dim; ++i) EXPECT_EQ(out[i], in[i]);
      }
    }
}

}  // namespace
}  // namespace quern::cpu
