#include "backend/cpu/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"

namespace quern::cpu {
namespace {

using testing_support::random_rows;

// Runs `kernel(rows, out)` on every supported instruction set and holds it to the bits of the
// first, the scalar one, which is returned.
template <class F>
std::vector<float> same_on_all(int64_t n_out, F kernel) {
  const CpuFeatures features = detect_cpu_features();
  std::vector<float> first;
  for (const Kernels* kernels : all_kernels()) {
    if (!kernels->supported(features)) continue;
    std::vector<float> out(n_out, NAN);
    kernel(kernels->rows, out);
    if (first.empty()) first = out;
    EXPECT_EQ(std::memcmp(out.data(), first.data(), n_out * sizeof(float)), 0) << kernels->isa;
  }
  return first;
}

constexpr int64_t kWidths[] = {1, 15, 16, 17, 64, 576, 1000};

TEST(RmsNorm, AgreesWithDoubles) {
  for (const int64_t n : kWidths) {
    const auto x = random_rows(1, n, 1), weight = random_rows(1, n, 2);
    const auto y = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
      rows.rms_norm(x.data(), weight.data(), 1e-5f, n, out.data());
      std::vector<float> in_place = x;
      rows.rms_norm(in_place.data(), weight.data(), 1e-5f, n, in_place.data());
      EXPECT_EQ(in_place, out);
    });
    double squares = 0;
    for (const float v : x) squares += double{v} * v;
    for (int64_t i = 0; i < n; ++i) {
      const double want = x[i] / std::sqrt(squares / static_cast<double>(n) + 1e-5) * weight[i];
      EXPECT_NEAR(y[i], want, 1e-6 * std::abs(want));
    }
  }
}

TEST(Swiglu, IsAccurateOverTheWholeRange) {
  std::vector<float> gate, up;
  for (float g = -120; g <= 120; g += 0.0173f) gate.push_back(g);
  for (const float g : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f}) gate.push_back(g);
  const auto n = static_cast<int64_t>(gate.size());
  up.assign(n, 1.5f);
  const auto y = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
    rows.swiglu(gate.data(), up.data(), n, out.data());
  });
  for (int64_t i = 0; i < n; ++i) {
    const double want = 1.5 * gate[i] / (1 + std::exp(-double{gate[i]}));
    // 4 units in the last place; below -88 the exact value is under 1e-36 and may come out as 0.
    EXPECT_NEAR(y[i], want, 4 * 6e-8 * std::abs(want) + 1e-36) << gate[i];
  }
}

TEST(Swiglu, PassesOnWhatIsNoNumber) {
  const float gate[] = {NAN, 1.0f, std::numeric_limits<float>::infinity()}, up[] = {1, NAN, 1};
  const auto y = same_on_all(3, [&](const RowKernels& rows, std::vector<float>& out) {
    float row[3];
    rows.swiglu(gate, up, 3, row);
    for (int i = 0; i < 3; ++i) out[i] = std::isnan(row[i]) ? 7.0f : row[i];
  });
  EXPECT_EQ(y, (std::vector<float>{7, 7, std::numeric_limits<float>::infinity()}));
}

TEST(Relu2glu, SquaresWhatIsPositive) {
  for (const int64_t n : kWidths) {
    auto gate = random_rows(1, n, 1);
    gate[0] = -0.0f;
    const auto up = random_rows(1, n, 2);
    const auto y = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
      rows.relu2glu(gate.data(), up.data(), n, out.data());
      std::vector<float> in_place = gate;
      rows.relu2glu(in_place.data(), up.data(), n, in_place.data());
      EXPECT_EQ(in_place, out);
    });
    for (int64_t i = 0; i < n; ++i)
      EXPECT_EQ(y[i], gate[i] > 0 ? gate[i] * gate[i] * up[i] : 0.0f) << gate[i];
  }
}

TEST(Relu2glu, PassesOnWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float gate[] = {NAN, 1.0f, infinity, -infinity}, up[] = {1, NAN, 1, 1};
  const auto y = same_on_all(4, [&](const RowKernels& rows, std::vector<float>& out) {
    float row[4];
    rows.relu2glu(gate, up, 4, row);
    for (int i = 0; i < 4; ++i) out[i] = std::isnan(row[i]) ? 7.0f : row[i];
  });
  EXPECT_EQ(y, (std::vector<float>{7, 7, infinity, 0}));
}

TEST(Scale, Multiplies) {
  for (const int64_t n : kWidths) {
    const auto x = random_rows(1, n, 1);
    const auto y = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
      rows.scale(x.data(), 0.3f, n, out.data());
    });
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(y[i], x[i] * 0.3f);
  }
}

TEST(RoundInt8, RoundsToTheRowsOwnSteps) {
  for (const int64_t n : kWidths) {
    const auto x = random_rows(1, n, 3);
    const auto y = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
      rows.round_int8(x.data(), n, out.data());
      std::vector<float> in_place = x;
      rows.round_int8(in_place.data(), n, in_place.data());
      EXPECT_EQ(in_place, out);
    });
    float most = 0;
    for (const float v : x) most = std::max(most, std::abs(v));
    const float steps = 127 / most;
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(y[i], std::nearbyint(x[i] * steps) / steps);
  }
}

TEST(RoundInt8, RoundsTiesToEvenAndHasALeastStep) {
  const float row[] = {127, 0.5f, 1.5f, -2.5f, -127}, small[] = {1e-6f, -1e-7f, 0, 1e-8f, 4e-8f};
  const auto round = [](const float* x) {
    return same_on_all(5, [&](const RowKernels& rows, std::vector<float>& out) {
      rows.round_int8(x, 5, out.data());
    });
  };
  EXPECT_EQ(round(row), (std::vector<float>{127, 0, 2, -2, -127}));
  const auto y = round(small);  // in steps of 1e-5 / 127
  const float steps = 127 / 1e-5f;
  EXPECT_EQ(y, (std::vector<float>{13 / steps, -1 / steps, 0, 0, 1 / steps}));
}

TEST(RoundInt8, PassesOnWhatIsNoNumber) {
  const float x[] = {1, NAN, -2, 0.5f};
  const auto y = same_on_all(4, [&](const RowKernels& rows, std::vector<float>& out) {
    float row[4];
    rows.round_int8(x, 4, row);
    for (int i = 0; i < 4; ++i) out[i] = std::isnan(row[i]) ? 7.0f : row[i];
  });
  EXPECT_EQ(y[1], 7.0f);
  EXPECT_EQ(y[2], -2.0f);
}

TEST(Add, Adds) {
  for (const int64_t n : kWidths) {
    const auto x = random_rows(1, n, 1), y = random_rows(1, n, 2);
    const auto sum = same_on_all(n, [&](const RowKernels& rows, std::vector<float>& out) {
      out = y;
      rows.add(x.data(), n, out.data());
    });
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(sum[i], y[i] + x[i]);
  }
}

TEST(Rope, RotatesPairsByTheirAngles) {
  for (const bool interleaved : {false, true}) {
    for (const int rotated : {64, 40, 2}) {
      const int head_dim = 64, n_heads = 3, half = rotated / 2;
      const auto x = random_rows(1, n_heads * head_dim, 1), angle = random_rows(1, half, 2);
      std::vector<float> cos(half), sin(half);
      for (int i = 0; i < half; ++i) cos[i] = std::cos(angle[i]), sin[i] = std::sin(angle[i]);
      const auto y =
          same_on_all(n_heads * head_dim, [&](const RowKernels& rows, std::vector<float>& out) {
            out = x;
            rows.rope(out.data(), n_heads, head_dim, rotated, interleaved, cos.data(), sin.data());
          });
      for (int head = 0; head < n_heads; ++head) {
        const float* in = x.data() + head * head_dim;
        const float* out = y.data() + head * head_dim;
        for (int i = 0; i < half; ++i) {
          const int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
          const double size = std::abs(in[a]) + std::abs(in[b]);
          EXPECT_NEAR(out[a], double{in[a]} * cos[i] - double{in[b]} * sin[i], 1e-6 * size);
          EXPECT_NEAR(out[b], double{in[b]} * cos[i] + double{in[a]} * sin[i], 1e-6 * size);
        }
        for (int i = rotated; i < head_dim; ++i) EXPECT_EQ(out[i], in[i]);
      }
    }
  }
}

}  // namespace
}  // namespace quern::cpu
