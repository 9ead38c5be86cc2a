#include "backend/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "base/float16.h"

namespace quern::cpu {
namespace {

constexpr double kLog2E = 1.4426950408889634;

struct AlignedBytes {
  explicit AlignedBytes(int64_t n) : memory(n + 64) {}
  std::byte* data() {
    return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 *
                                        64);
  }
  std::vector<std::byte> memory;
};

// One way to attend on one ISA.
struct Kind {
  const AttentionKernels* kernels;
  bool fast;
  const PromptAttention* prompt = nullptr;  // instead of kernels->attend
  // Relative: the rounding to bf16 (2^-8) and a shorter polynomial; for prompts, the steps of their
  // scores and of their polynomial on 16 bits.
  double weight_error() const { return prompt ? 6.2e-3 : fast ? 0x1p-8 + 1e-5 : 0; }
  Attend attend() const { return prompt ? prompt->attend : kernels->attend; }
  int64_t scratch_bytes(const AttentionShape& shape, int n_rows) const {
    return (prompt ? prompt->scratch_bytes : kernels->scratch_bytes)(shape, n_rows);
  }
};
// All that an ISA has.
std::vector<Kind> kinds(const Kernels& kernels) {
  std::vector<Kind> all = {{&kernels.fast_attention, true}, {&kernels.exact_attention, false}};
  if (kernels.prompt_attention)
    all.push_back({&kernels.fast_attention, true, kernels.prompt_attention});
  return all;
}

std::vector<float> normal(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> values(n);
  for (float& x : values) x = distribution(random);
  return values;
}

// Rows, keys and values of one sequence, the same for every kind.
struct Text {
  Text(const AttentionShape& s, int tokens)
      : shape(s),
        n_tokens(tokens),
        q(normal(size_t(tokens) * s.n_heads * s.head_dim, 1, 1.5f)),
        k(normal(size_t(tokens) * s.n_kv_heads * s.head_dim, 2)),
        v(normal(size_t(tokens) * s.n_kv_heads * s.head_dim, 3)) {}
  int64_t q_width() const { return int64_t{shape.n_heads} * shape.head_dim; }
  int64_t kv_width() const { return int64_t{shape.n_kv_heads} * shape.head_dim; }
  AttentionShape shape;
  int n_tokens;
  std::vector<float> q, k, v;
};

// The cache of a text in pages that lie in no order, apart from each other; what no token fills
// holds `rest`.
class Cache {
 public:
  Cache(const Kind& kind, const Text& text, float rest = 0)
      : kind_(kind),
        kernels_(kind.kernels),
        text_(text),
        pages_((text.n_tokens + kPageTokens - 1) / kPageTokens),
        stride_(kernels_->page_bytes(text.shape) + 128),
        memory_(stride_ * (pages_.size() + 1)) {
    EXPECT_EQ(kernels_->page_bytes(text.shape) % 64, 0);
    std::iota(pages_.rbegin(), pages_.rend(), 1);
    const std::vector<float> filler(text.kv_width(), rest);
    for (const int32_t page : pages_)
      for (int slot = 0; slot < kPageTokens; ++slot)
        append(filler.data(), filler.data(), page, slot);
    for (int t = 0; t < text.n_tokens; ++t)
      append(&text.k[t * text.kv_width()], &text.v[t * text.kv_width()], pages_[t / kPageTokens],
             t % kPageTokens);
  }

  // All rows of the text in calls of `chunk` rows.
  std::vector<float> attend(int chunk) {
    std::vector<float> out(text_.q.size(), NAN);
    for (int at = 0; at < text_.n_tokens; at += chunk)
      rows(at, std::min(chunk, text_.n_tokens - at), out);
    return out;
  }
  void rows(int at, int n, std::vector<float>& out) {
    const AttentionShape& shape = text_.shape;
    const int64_t scratch_bytes = kind_.scratch_bytes(shape, n);
    AlignedBytes scratch(scratch_bytes);
    std::memset(scratch.data(), 0xff, scratch_bytes);
    const auto pages = std::span(pages_).first((at + n + kPageTokens - 1) / kPageTokens);
    for (int head = 0; head < shape.n_kv_heads; ++head)
      kind_.attend()(shape, {memory_.data(), stride_}, pages, at, &text_.q[at * text_.q_width()],
                     text_.q_width(), n, head, &out[at * text_.q_width()], text_.q_width(),
                     scratch.data());
  }

 private:
  void append(const float* k, const float* v, int32_t page, int slot) {
    kernels_->append(text_.shape, k, v, memory_.data() + page * stride_, slot);
  }
  Kind kind_;
  const AttentionKernels* kernels_;
  const Text& text_;
  std::vector<int32_t> pages_;
  int64_t stride_;
  AlignedBytes memory_;
};

double bf16(double x) { return bf16_to_f32(f32_to_bf16(static_cast<float>(x))); }

// Row `row` of head `head` in doubles, of the values as the cache and the tiles hold them; `mean`:
// the mean of |value| under the same weights, which bounds what rounding the weights can do.
struct Reference {
  std::vector<double> out, mean;
  double largest_score = 0;
};
Reference reference(const Text& text, bool fast, int row, int head) {
  const AttentionShape& s = text.shape;
  const int64_t dim = s.head_dim, kv = head / (s.n_heads / s.n_kv_heads) * dim;
  const float factor = s.softcap > 0 ? s.scale / s.softcap : s.scale * float(kLog2E);
  const auto stored = [&](double x) { return fast ? bf16(x) : x; };
  std::vector<double> score;
  const int first = s.window ? std::max(0, row - s.window + 1) : 0;
  for (int t = first; t <= row; ++t) {
    double sum = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const float q = text.q[row * text.q_width() + head * dim + d];
      const double used = fast ? bf16(q * factor) / factor * s.scale : double(q) * s.scale;
      sum += used * stored(text.k[t * text.kv_width() + kv + d]);
    }
    score.push_back(s.softcap > 0 ? s.softcap * std::tanh(sum / s.softcap) : sum);
  }
  const double largest = *std::max_element(score.begin(), score.end());
  double total = 0;
  Reference r{std::vector<double>(dim), std::vector<double>(dim)};
  for (int t = first; t <= row; ++t) {
    const double weight = std::exp(score[t - first] - largest);
    total += weight;
    for (int64_t d = 0; d < dim; ++d) {
      const double v = stored(text.v[t * text.kv_width() + kv + d]);
      r.out[d] += weight * v;
      r.mean[d] += weight * std::abs(v);
    }
  }
  for (const double x : score) r.largest_score = std::max(r.largest_score, std::abs(x));
  for (double& x : r.out) x /= total;
  for (double& x : r.mean) x /= total;
  return r;
}

// In parts of the mean |value|: 1e-6, what f32 scores allow, and the error of the weights.
void expect_close(const Text& text, const Kind& kind, const std::vector<float>& out) {
  const int64_t dim = text.shape.head_dim;
  for (int row = 0; row < text.n_tokens; row += row < 70 ? 3 : 29)
    for (int head = 0; head < text.shape.n_heads; ++head) {
      const Reference r = reference(text, kind.fast, row, head);
      const double bound = 1e-6 + 0x1p-21 * r.largest_score + kind.weight_error();
      for (int64_t d = 0; d < dim; ++d)
        ASSERT_NEAR(out[row * text.q_width() + head * dim + d], r.out[d], bound * r.mean[d])
            << "row " << row << ", head " << head << ", dim " << d;
    }
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Shape {
  int n_heads, n_kv_heads, head_dim, window = 0;
  float softcap = 0, sharpness = 1;  // of the distribution: times the usual scale
  AttentionShape attention() const {
    return {n_heads, n_kv_heads, head_dim, sharpness / std::sqrt(float(head_dim)), window, softcap};
  }
};
constexpr Shape kShapes[] = {
    {.n_heads = 1, .n_kv_heads = 1, .head_dim = 32},
    {.n_heads = 4, .n_kv_heads = 2, .head_dim = 64},
    {.n_heads = 3, .n_kv_heads = 1, .head_dim = 64},
    {.n_heads = 8, .n_kv_heads = 2, .head_dim = 80},
    {.n_heads = 5, .n_kv_heads = 1, .head_dim = 96},
    {.n_heads = 6, .n_kv_heads = 1, .head_dim = 128},
    {.n_heads = 7, .n_kv_heads = 1, .head_dim = 40},
    {.n_heads = 16, .n_kv_heads = 2, .head_dim = 32},
    {.n_heads = 2, .n_kv_heads = 2, .head_dim = 6},
    {.n_heads = 1, .n_kv_heads = 1, .head_dim = 256},
    {.n_heads = 4, .n_kv_heads = 2, .head_dim = 64, .window = 1},
    {.n_heads = 4, .n_kv_heads = 2, .head_dim = 64, .window = 20},
    {.n_heads = 3, .n_kv_heads = 1, .head_dim = 64, .window = 64},
    {.n_heads = 3, .n_kv_heads = 1, .head_dim = 64, .window = 100},
    {.n_heads = 2, .n_kv_heads = 1, .head_dim = 64, .softcap = 5},
    {.n_heads = 2, .n_kv_heads = 1, .head_dim = 64, .window = 70, .softcap = 50, .sharpness = 40},
    {.n_heads = 2, .n_kv_heads = 1, .head_dim = 64, .sharpness = 40},
};
constexpr int kTokens = 140;  // two pages and a piece

// Every kind of attention that runs here, on every shape.
class AttentionTest : public testing::Test {
 protected:
  void SetUp() override { features_ = detect_cpu_features(); }
  template <class F>
  void for_each_isa(F f) {
    for (const Kernels* kernels : all_kernels()) {
      if (!kernels->supported(features_)) continue;
      SCOPED_TRACE(std::string(kernels->isa));
      f(*kernels);
    }
  }
  template <class F>  // f(Kind, Text)
  void for_each_case(F f) {
    for_each_isa([&](const Kernels& kernels) {
      for (const Shape& shape : kShapes) {
        const Text text(shape.attention(), kTokens);
        for (const Kind& kind : kinds(kernels)) {
          SCOPED_TRACE(testing::Message() << (kind.prompt ? "prompt"
                                              : kind.fast ? "fast"
                                                          : "exact")
                                          << ", heads " << shape.n_heads << "/" << shape.n_kv_heads
                                          << ", dim " << shape.head_dim << ", window "
                                          << shape.window << ", cap " << shape.softcap);
          f(kind, text);
        }
      }
    });
  }
  CpuFeatures features_;
};

TEST_F(AttentionTest, AgreesWithDoubles) {
  for_each_case([](const Kind& kind, const Text& text) {
    expect_close(text, kind, Cache(kind, text).attend(text.n_tokens));
  });
}

TEST_F(AttentionTest, BitsDependOnTheRowAlone) {
  for_each_case([](const Kind& kind, const Text& text) {
    const std::vector<float> whole = Cache(kind, text).attend(text.n_tokens);
    // Also with something else behind the last token, large but finite.
    Cache littered(kind, text, 1e30f);
    for (const int chunk : {1, 5, 33, text.n_tokens})
      EXPECT_TRUE(same_bits(littered.attend(chunk), whole)) << "in chunks of " << chunk;
  });
}

TEST_F(AttentionTest, EveryIsaComputesWhatTheScalarOneDoes) {
  for (const Shape& shape : kShapes) {
    const Text text(shape.attention(), kTokens);
    const Kernels& scalar = *all_kernels().front();
    const auto fast = Cache({&scalar.fast_attention, true}, text).attend(kTokens);
    const auto exact = Cache({&scalar.exact_attention, false}, text).attend(kTokens);
    for_each_isa([&](const Kernels& kernels) {
      EXPECT_TRUE(same_bits(Cache({&kernels.exact_attention, false}, text).attend(kTokens), exact));
      const auto mine = Cache({&kernels.fast_attention, true}, text).attend(kTokens);
      if (kernels.isa != "avx512bf16") {
        EXPECT_TRUE(same_bits(mine, fast));
        return;
      }
      // The instruction may join the two products of a pair in its own way, so that a weight now
      // and then rounds to its other neighbour.
      double error = 0, size = 0;
      for (size_t i = 0; i < fast.size(); ++i) {
        error = std::max(error, std::abs(double(mine[i]) - fast[i]));
        size = std::max(size, std::abs(double(fast[i])));
      }
      EXPECT_LE(error, 1e-3 * size);
    });
  }
}

// Scores that climb by thousands of powers of two: the running maximum moves again and again.
TEST_F(AttentionTest, MovesItsMaximum) {
  for_each_isa([](const Kernels& kernels) {
    Text text({1, 1, 32, 1.0f}, kTokens);
    for (int t = 0; t < kTokens; ++t)
      for (int d = 0; d < 32; ++d) text.k[t * 32 + d] = d == 0 ? t * 16.0f : 0;
    for (int t = 0; t < kTokens; ++t) text.q[t * 32] = 1;
    for (const Kind& kind : kinds(kernels)) {
      const auto out = Cache(kind, text).attend(kTokens);
      expect_close(text, kind, out);
      EXPECT_TRUE(same_bits(Cache(kind, text).attend(7), out));
    }
  });
}

// A long text, where errors could pile up.
TEST_F(AttentionTest, StaysExactOverLongTexts) {
  const Text text({2, 1, 64, 0.125f}, 3000);
  const Kernels& best = best_kernels(features_);
  for (const Kind& kind : kinds(best)) {
    Cache cache(kind, text);
    std::vector<float> out(text.q.size());
    cache.rows(2900, 100, out);
    double error = 0, size = 0;
    for (const int row : {2900, 2950, 2999}) {
      const Reference r = reference(text, kind.fast, row, 1);
      for (int d = 0; d < 64; ++d) {
        error = std::max(error, std::abs(out[row * 128 + 64 + d] - r.out[d]));
        size = std::max(size, std::abs(r.out[d]));
      }
    }
    EXPECT_LE(error, (1e-6 + kind.weight_error()) * size);
  }
}

}  // namespace
}  // namespace quern::cpu
