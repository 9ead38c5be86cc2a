#include "backend/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "backend/cache_group.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/test_kernels.h"
#include "base/float16.h"
#include "support/emulated.h"

namespace quern::cpu {
namespace {

constexpr double kLog2E = 1.4426950408889634;

struct AlignedBytes {
  explicit AlignedBytes(int64_t n) : memory(n + 64) {}
  std::byte* data() const {
    return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 *
                                        64);
  }
  mutable std::vector<std::byte> memory;
};

enum class Form { exact, bf16, f16, int8, int4 };

// One way to attend on one ISA.
struct Kind {
  const AttentionKernels* kernels;  // null: those of the exact path
  Form form;
  const PromptAttention* prompt = nullptr;  // instead of kernels->attend
  const ExactAttentionKernels* exact = nullptr;
  const void* id() const {  // ISAs share kernels
    return exact ? static_cast<const void*>(exact) : kernels;
  }
  bool rotated() const { return form == Form::int8 || form == Form::int4; }
  std::string name() const {
    constexpr const char* kNames[] = {"exact", "bf16", "f16", "int8", "int4"};
    return kNames[static_cast<int>(form)] + std::string(prompt ? " prompt" : "");
  }
  // Relative: a shorter polynomial (1e-5); in bf16 also rounding (2^-8), for prompts in coarser
  // steps of scores and polynomial, on 16 bits.
  double weight_error() const {
    if (form == Form::exact) return 0;
    return prompt ? 6.2e-3 : form == Form::bf16 ? 0x1p-8 + 1e-5 : 1e-5;
  }
  // Of scores, in parts of the largest; rotated queries and keys have passed six more roundings.
  double score_error() const {
    return form == Form::exact ? 0x1p-48 : rotated() ? 0x1p-18 : 0x1p-21;
  }
  // Of the sums: in parts of the mean |value|.
  double sum_error() const { return form == Form::exact ? 1e-14 : 1e-6; }
  void attend(const AttendCall& call) const { (prompt ? prompt->attend : kernels->attend)(call); }
  void attend(const AttendCallOf<double>& call) const { exact->attend(call); }
  int64_t scratch_bytes(const AttentionShape& shape, int n_rows, int n_heads) const {
    const auto bytes = exact    ? exact->scratch_bytes
                       : prompt ? prompt->scratch_bytes
                                : kernels->scratch_bytes;
    return bytes(shape, n_rows, n_heads);
  }
  int64_t page_bytes(const AttentionShape& shape) const {
    return (exact ? exact->page_bytes : kernels->page_bytes)(shape);
  }
  void append(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
              int slot) const {
    if (!exact) return kernels->append(shape, k, v, page, slot);
    const int64_t heads = shape.n_kv_heads;
    const std::vector<double> wide_k(k, k + heads * shape.head_dim),
        wide_v(v, v + heads * value_dim_of(shape));
    exact->append(shape, wide_k.data(), wide_v.data(), page, slot);
  }
};
// All kinds of attention of an ISA.
std::vector<Kind> kinds(const Kernels& kernels) {
  std::vector<Kind> all = {{nullptr, Form::exact, nullptr, &kernels.exact.attention}};
  for (int i = 0; i < kKvKinds; ++i)
    all.push_back({kernels.attention[i], static_cast<Form>(i + 1)});
  if (kernels.prompt_attention)
    all.push_back({kernels.attention[0], Form::bf16, kernels.prompt_attention});
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
        v(normal(size_t(tokens) * s.n_kv_heads * value_dim_of(s), 3)) {}
  int64_t q_width() const { return int64_t{shape.n_heads} * shape.head_dim; }
  int64_t out_width() const { return int64_t{shape.n_heads} * value_dim_of(shape); }
  int64_t k_width() const { return int64_t{shape.n_kv_heads} * shape.head_dim; }
  int64_t v_width() const { return int64_t{shape.n_kv_heads} * value_dim_of(shape); }
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
        stride_(kind.page_bytes(text.shape) + 128),
        memory_(stride_ * (pages_.size() + 1)) {
    EXPECT_EQ(kind.page_bytes(text.shape) % 64, 0);
    std::iota(pages_.rbegin(), pages_.rend(), 1);
    const std::vector<float> filler(std::max(text.k_width(), text.v_width()), rest);
    for (const int32_t page : pages_)
      for (int slot = 0; slot < kPageTokens; ++slot)
        append(filler.data(), filler.data(), page, slot);
    for (int t = 0; t < text.n_tokens; ++t)
      append(&text.k[t * text.k_width()], &text.v[t * text.v_width()], pages_[t / kPageTokens],
             t % kPageTokens);
  }

  // All rows of the text in calls of `chunk` rows.
  std::vector<double> attend(int chunk) {
    std::vector<double> out(text_.n_tokens * text_.out_width(), NAN);
    for (int at = 0; at < text_.n_tokens; at += chunk)
      rows(at, std::min(chunk, text_.n_tokens - at), out);
    return out;
  }
  // `heads` kv heads at a time.
  void rows(int at, int n, std::vector<double>& out, int heads = 1) {
    if (kind_.exact) return rows_of<double>(at, n, out, heads);
    rows_of<float>(at, n, out, heads);
  }
  // The same from pages of which those that no row sees are far from any memory. Their ids are
  // below 0: tiles leave them out by that.
  void rows_of_seen_pages(int at, int n, std::vector<double>& out, bool by_splits) {
    const std::vector<int32_t> whole = pages_;
    constexpr int32_t kFar = sizeof(void*) == 8 ? INT32_MIN : kAbsentPage;
    const int first = std::max(0, at - text_.shape.window + 1) / kPageTokens;
    std::fill_n(pages_.begin(), first, kFar);
    by_splits ? rows_by_splits(at, n, out) : rows(at, n, out);
    pages_ = whole;
  }
  // The same, every split by itself, the last one first.
  void rows_by_splits(int at, int n, std::vector<double>& all) {
    const AttentionShape& shape = text_.shape;
    AlignedBytes scratch(kernels_->scratch_bytes(shape, n, shape.n_kv_heads));
    const std::vector<float> q = queries<float>(at, n);
    std::vector<float> out(n * text_.out_width(), NAN);
    AttendCall call = this->call<float>(at, n, q, out);
    call.scratch = scratch.data();
    const Splits splits = splits_of(shape.window, at, n);
    const int64_t stride = int64_t{n} * shape.n_heads * kernels_->state_floats(shape);
    AlignedBytes states(stride * (splits.last - splits.first + 1) * sizeof(float));
    auto* floats = reinterpret_cast<float*>(states.data());
    for (int split = splits.last; split >= splits.first; --split)
      kernels_->attend_split(call, split, floats + (split - splits.first) * stride);
    kernels_->join_splits(call, splits.last - splits.first + 1, floats, stride);
    std::copy(out.begin(), out.end(), all.begin() + at * text_.out_width());
  }

  // What the cache holds of a token's key or value, read by the layout that kv_<form>.h describes.
  std::vector<double> stored(bool key, int token, int head) const {
    const int dim = key ? text_.shape.head_dim : value_dim_of(text_.shape);
    const int slot = token % kPageTokens;
    const int64_t page = kind_.page_bytes(text_.shape) / text_.shape.n_kv_heads;
    const std::byte* at = memory_.data() + pages_[token / kPageTokens] * stride_ + head * page;
    if (!key) at += page - values_bytes();
    std::vector<double> x(dim);
    for (int d = 0; d < dim; ++d) x[d] = number(at, key, d, slot);
    return x;
  }

 private:
  template <class T>
  static T read(const std::byte* at, int64_t index) {
    T x;
    std::memcpy(&x, at + index * sizeof(T), sizeof x);
    return x;
  }
  static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
  int64_t values_bytes() const {
    const int64_t dim = value_dim_of(text_.shape), padded = up(dim, 16);
    switch (kind_.form) {
      case Form::exact:
        return 64 * up(dim, 8) * 8;
      case Form::bf16:
      case Form::f16:
        return 64 * padded * 2;
      case Form::int8:
        return 64 * (padded + (dim + 63) / 64 * 2);
      case Form::int4:
        return 64 * ((dim + 31) / 32 * (16 + 4));
    }
    return 0;
  }
  double number(const std::byte* at, bool key, int64_t d, int64_t slot) const {
    const int64_t dim = key ? text_.shape.head_dim : value_dim_of(text_.shape);
    const int64_t padded = up(dim, 16);
    const int64_t plain = key ? d * 64 + slot : slot * padded + d;
    switch (kind_.form) {
      case Form::exact:
        return read<double>(at, key ? plain : slot * up(dim, 8) + d);
      case Form::bf16:
        return bf16_to_f32(read<uint16_t>(
            at, key ? d / 2 * 128 + slot * 2 + d % 2 : slot / 2 * 2 * padded + d * 2 + slot % 2));
      case Form::f16:
        return f16_to_f32(read<uint16_t>(at, plain));
      case Form::int8: {
        const std::byte* scales = at + 64 * (key ? dim : padded);
        return read<int8_t>(at, plain) *
               double(bf16_to_f32(read<uint16_t>(scales, d / 64 * 64 + slot)));
      }
      case Form::int4: {
        const int64_t groups = (dim + 31) / 32, g = d / 32;
        const std::byte* scales = at + 64 * (key ? dim / 2 : groups * 16);
        const int64_t byte = key ? d / 2 * 64 + slot : slot * groups * 16 + g * 16 + d % 16;
        const int code = read<uint8_t>(at, byte) >> 4 * (key ? d % 2 : d % 32 / 16) & 15;
        return code * double(bf16_to_f32(read<uint16_t>(scales, g * 64 + slot))) +
               bf16_to_f32(read<uint16_t>(scales, (groups + g) * 64 + slot));
      }
    }
    return 0;
  }
  template <class T>
  std::vector<T> queries(int at, int n) const {
    return {text_.q.begin() + at * text_.q_width(), text_.q.begin() + (at + n) * text_.q_width()};
  }
  template <class T>
  void rows_of(int at, int n, std::vector<double>& all, int heads) {
    const AttentionShape& shape = text_.shape;
    const int64_t scratch_bytes = kind_.scratch_bytes(shape, n, heads);
    AlignedBytes scratch(scratch_bytes);
    const std::vector<T> q = queries<T>(at, n);
    std::vector<T> out(n * text_.out_width(), NAN);
    for (int head = 0; head < shape.n_kv_heads; head += heads) {
      std::memset(scratch.data(), 0xff, scratch_bytes);
      AttendCallOf<T> call = this->call<T>(at, n, q, out);
      call.kv_head = head;
      call.n_kv_heads = std::min(heads, shape.n_kv_heads - head);
      call.scratch = scratch.data();
      kind_.attend(call);
    }
    std::copy(out.begin(), out.end(), all.begin() + at * text_.out_width());
  }
  template <class T>
  AttendCallOf<T> call(int at, int n, const std::vector<T>& q, std::vector<T>& out) {
    return {.shape = text_.shape,
            .cache = {memory_.data(), stride_},
            .pages = std::span(pages_).first((at + n + kPageTokens - 1) / kPageTokens),
            .position = at,
            .n_rows = n,
            .kv_head = 0,
            .n_kv_heads = text_.shape.n_kv_heads,
            .q = q.data(),
            .q_stride = text_.q_width(),
            .out = out.data(),
            .out_stride = text_.out_width(),
            .scratch = nullptr};
  }
  void append(const float* k, const float* v, int32_t page, int slot) {
    kind_.append(text_.shape, k, v, memory_.data() + page * stride_, slot);
  }
  Kind kind_;
  const AttentionKernels* kernels_;
  const Text& text_;
  std::vector<int32_t> pages_;
  int64_t stride_;
  AlignedBytes memory_;
};

double bf16(double x) { return bf16_to_f32(f32_to_bf16(static_cast<float>(x))); }

// Times the Hadamard matrix, by its definition, in blocks of the largest power of two <= 64 that
// divides the length.
std::vector<double> rotated(const std::vector<double>& x) {
  size_t block = 64;
  while (x.size() % block) block /= 2;
  std::vector<double> out(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < block; ++j)
      out[i] += (std::popcount(i % block & j) % 2 ? -1 : 1) * x[i / block * block + j] /
                std::sqrt(double(block));
  return out;
}

// Row `row` of head `head` in doubles, of the values as the cache and the tiles hold them; `mean`:
// the mean of |value| under the same weights, which bounds what rounding the weights can do.
struct Reference {
  std::vector<double> out, mean;
  double largest_score = 0;
};
// Keys and values of all tokens and kv heads as the cache has them.
struct Stored {
  std::vector<std::vector<double>> k, v;
  Stored(const Cache& cache, const Text& text) {
    for (int t = 0; t < text.n_tokens; ++t)
      for (int head = 0; head < text.shape.n_kv_heads; ++head) {
        k.push_back(cache.stored(true, t, head));
        v.push_back(cache.stored(false, t, head));
      }
  }
};
Reference reference(const Text& text, const Kind& kind, const Stored& stored, int row, int head) {
  const AttentionShape& s = text.shape;
  const int64_t dim = s.head_dim, value_dim = value_dim_of(s);
  const int64_t kv = head / (s.n_heads / s.n_kv_heads);
  const auto scale = static_cast<float>(s.scale);
  const float factor = s.softcap > 0 ? scale / s.softcap : scale * float(kLog2E);
  std::vector<double> q(dim);
  for (int64_t d = 0; d < dim; ++d) {
    const float x = text.q[row * text.q_width() + head * dim + d];
    q[d] = kind.form == Form::bf16 ? bf16(x * factor) / factor * s.scale : double(x) * s.scale;
  }
  if (kind.rotated()) q = rotated(q);
  std::vector<double> score;
  const int first = s.window ? std::max(0, row - s.window + 1) : 0;
  for (int t = first; t <= row; ++t) {
    const auto& k = stored.k[t * s.n_kv_heads + kv];
    const double sum = std::inner_product(q.begin(), q.end(), k.begin(), 0.0);
    score.push_back(s.softcap > 0 ? s.softcap * std::tanh(sum / s.softcap) : sum);
  }
  const double largest = *std::max_element(score.begin(), score.end());
  double total = 0;
  Reference r{std::vector<double>(value_dim), std::vector<double>(value_dim)};
  for (int t = first; t <= row; ++t) {
    const double weight = std::exp(score[t - first] - largest);
    total += weight;
    for (int64_t d = 0; d < value_dim; ++d) {
      const double v = stored.v[t * s.n_kv_heads + kv][d];
      r.out[d] += weight * v;
      r.mean[d] += weight * std::abs(v);
    }
  }
  for (const double x : score) r.largest_score = std::max(r.largest_score, std::abs(x));
  for (double& x : r.out) x /= total;
  for (double& x : r.mean) x /= total;
  return r;
}

// In parts of the mean |value|: that of sums, what the scores' type allows, and the error of the
// weights.
void expect_close(const Text& text, const Kind& kind, Cache& cache) {
  const std::vector<double> out = cache.attend(text.n_tokens);
  const Stored stored(cache, text);
  const int64_t dim = value_dim_of(text.shape);
  for (int row = 0; row < text.n_tokens; row += row < 70 ? 3 : 29)
    for (int head = 0; head < text.shape.n_heads; ++head) {
      const Reference r = reference(text, kind, stored, row, head);
      // tanh is computed with the shorter polynomial too, and its error then times the cap.
      const double cap = kind.form == Form::exact ? 0 : 2e-6 * text.shape.softcap;
      const double bound =
          kind.sum_error() + kind.score_error() * r.largest_score + cap + kind.weight_error();
      for (int64_t d = 0; d < dim; ++d)
        ASSERT_NEAR(out[row * text.out_width() + head * dim + d], r.out[d], bound * r.mean[d])
            << "row " << row << ", head " << head << ", dim " << d;
    }
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

struct Shape {
  int n_heads, n_kv_heads, head_dim, window = 0;
  float softcap = 0, sharpness = 1;  // of the distribution: times the usual scale
  int value_dim = 0;
  AttentionShape attention() const {
    return {n_heads, n_kv_heads, head_dim, sharpness / std::sqrt(float(head_dim)),
            window,  softcap,    value_dim};
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
    {.n_heads = 4, .n_kv_heads = 2, .head_dim = 192, .value_dim = 128},
    {.n_heads = 4, .n_kv_heads = 4, .head_dim = 24, .value_dim = 16},
    {.n_heads = 2, .n_kv_heads = 2, .head_dim = 34, .value_dim = 16},  // too narrow for tiles
    {.n_heads = 6, .n_kv_heads = 2, .head_dim = 32, .window = 20, .value_dim = 72},
    {.n_heads = 2, .n_kv_heads = 1, .head_dim = 96, .softcap = 5, .value_dim = 6},
};
constexpr Shape kFewShapes[] = {
    {.n_heads = 4, .n_kv_heads = 2, .head_dim = 40, .value_dim = 24},
    {.n_heads = 3, .n_kv_heads = 1, .head_dim = 72},
    {.n_heads = 2, .n_kv_heads = 2, .head_dim = 6},
    {.n_heads = 2, .n_kv_heads = 1, .head_dim = 64, .window = 70, .softcap = 50, .sharpness = 40},
};
std::span<const Shape> shapes() {
  if (runs_emulated()) return kFewShapes;
  return kShapes;
}
const int kTokens = at_most_if_emulated(140, 80);  // pages and a piece

// Every kind of attention that runs here, on every shape.
class AttentionTest : public testing::Test {
 protected:
  void SetUp() override { features_ = detect_cpu_features(); }
  template <class F>
  void for_each_isa(F f) {
    for (const Kernels* kernels : testing_support::tested_kernels(runs_emulated())) {
      SCOPED_TRACE(std::string(kernels->isa));
      f(*kernels);
    }
  }
  template <class F>  // f(Kind, Text)
  void for_each_case(F f) {
    std::set<std::pair<const Shape*, const void*>> seen;
    for_each_isa([&](const Kernels& kernels) {
      for (const Shape& shape : shapes()) {
        const Text text(shape.attention(), kTokens);
        for (const Kind& kind : kinds(kernels)) {
          if (!kind.prompt && !seen.insert({&shape, kind.id()}).second) continue;
          SCOPED_TRACE(testing::Message()
                       << kind.name() << ", heads " << shape.n_heads << "/" << shape.n_kv_heads
                       << ", dim " << shape.head_dim << ", window " << shape.window << ", cap "
                       << shape.softcap);
          f(kind, text);
        }
      }
    });
  }
  CpuFeatures features_;
};

TEST_F(AttentionTest, AgreesWithDoubles) {
  for_each_case([](const Kind& kind, const Text& text) {
    Cache cache(kind, text);
    expect_close(text, kind, cache);
  });
}

TEST_F(AttentionTest, BitsDependOnTheRowAlone) {
  for_each_case([](const Kind& kind, const Text& text) {
    const std::vector<double> whole = Cache(kind, text).attend(text.n_tokens);
    // Also with something else behind the last token, large but finite.
    Cache littered(kind, text, 1e30f);
    EXPECT_TRUE(same_bits(littered.attend(33), whole));
    std::vector<double> single(whole.size());
    for (int row = 0; row < text.n_tokens; ++row) {
      if (runs_emulated() && (row + 1) % kPageTokens > 2 && row % 9)
        continue;  // edges of pages, a few
      littered.rows(row, 1, single);
      const int64_t at = row * text.out_width();
      EXPECT_EQ(std::memcmp(&single[at], &whole[at], text.out_width() * sizeof(double)), 0) << row;
    }
  });
}

TEST_F(AttentionTest, PagesThatNoRowSeesAreNotTouched) {
  for_each_case([](const Kind& kind, const Text& text) {
    if (text.shape.window == 0) return;
    Cache cache(kind, text);
    const std::vector<double> whole = cache.attend(text.n_tokens);
    for (const int chunk : {1, 3, 33, 50}) {
      std::vector<double> parts(whole.size());
      const bool by_splits = chunk == 3 && !kind.prompt && !kind.exact;
      for (int at = 0; at < text.n_tokens; at += chunk)
        cache.rows_of_seen_pages(at, std::min(chunk, text.n_tokens - at), parts, by_splits);
      EXPECT_TRUE(same_bits(parts, whole)) << "chunks of " << chunk;
    }
  });
}

TEST_F(AttentionTest, RandomRowsHeadsAndSplitsChangeNoBit) {
  std::mt19937 random(7);
  // Across the end of a split.
  const int kFrom = runs_emulated() ? 1016 : 990, kTo = runs_emulated() ? 1032 : 1090;
  std::vector<Shape> all = {kShapes[3], kShapes[1], kShapes[11], kShapes[18]};
  if (runs_emulated()) all = {kShapes[11], {.n_heads = 2, .n_kv_heads = 2, .head_dim = 24}};
  for (const Shape& shape : all) {
    const Text text(shape.attention(), kTo);
    std::set<const void*> seen;
    for_each_isa([&](const Kernels& kernels) {
      for (const Kind& kind : kinds(kernels)) {
        if (!kind.prompt && !seen.insert(kind.id()).second) continue;
        Cache cache(kind, text);
        std::vector<double> whole(kTo * text.out_width()), parts(whole.size());
        cache.rows(kFrom, kTo - kFrom, whole);
        for (int at = kFrom, n; at < kTo; at += n) {
          n = std::min<int>(kTo - at, 1 + random() % 40);
          if (!kind.prompt && !kind.exact && random() % 2) {
            n = std::min(n, 4);
            cache.rows_by_splits(at, n, parts);
          } else {
            cache.rows(at, n, parts, 1 + random() % 2);
          }
        }
        for (int row = kFrom; row < kTo; ++row)
          ASSERT_EQ(std::memcmp(&whole[row * text.out_width()], &parts[row * text.out_width()],
                                text.out_width() * sizeof(double)),
                    0)
              << kind.name() << ", dim " << shape.head_dim << ", window " << shape.window
              << ", row " << row;
      }
    });
  }
}

TEST_F(AttentionTest, EveryIsaComputesWhatTheScalarOneDoes) {
  if (runs_emulated() && &best_kernels(features_) == all_kernels().front())
    GTEST_SKIP() << "would hold the scalar kernels to themselves";
  for (const Shape& shape : shapes()) {
    const Text text(shape.attention(), kTokens);
    std::vector<std::vector<double>> scalar;
    for (const Kind& kind : kinds(*all_kernels().front()))
      scalar.push_back(Cache(kind, text).attend(kTokens));
    std::set<const void*> seen;
    for_each_isa([&](const Kernels& kernels) {
      const std::vector<Kind> all = kinds(kernels);
      for (size_t i = 0; i < scalar.size(); ++i) {
        if (!seen.insert(all[i].id()).second) continue;
        const auto mine = Cache(all[i], text).attend(kTokens);
        if (kernels.isa != "avx512bf16" || all[i].form != Form::bf16) {
          EXPECT_TRUE(same_bits(mine, scalar[i])) << all[i].name();
          continue;
        }
        // The instruction may join the two products of a pair in its own way, so that a weight now
        // and then rounds to its other neighbour.
        double error = 0, size = 0;
        for (size_t j = 0; j < mine.size(); ++j) {
          error = std::max(error, std::abs(double(mine[j]) - scalar[i][j]));
          size = std::max(size, std::abs(double(scalar[i][j])));
        }
        EXPECT_LE(error, 1e-3 * size);
      }
    });
  }
}

// Half a step of the form's grid, from what was given.
TEST_F(AttentionTest, FormsKeepWhatTheyPromise) {
  for (const Shape& shape :
       {kShapes[1], kShapes[3], kShapes[5], kShapes[6], kShapes[8], kShapes[18], kShapes[19]}) {
    const Text text(shape.attention(), 70);
    for (const Kind& kind : kinds(best_kernels(features_))) {
      const Cache cache(kind, text);
      for (int t = 0; t < text.n_tokens; t += 3)
        for (int head = 0; head < shape.n_kv_heads; ++head)
          for (const bool key : {true, false}) {
            const int dim = key ? shape.head_dim : value_dim_of(text.shape);
            const float* from = key ? &text.k[t * text.k_width() + head * dim]
                                    : &text.v[t * text.v_width() + head * dim];
            std::vector<double> want(from, from + dim);
            if (key && kind.rotated()) want = rotated(want);
            const std::vector<double> got = cache.stored(key, t, head);
            for (int d = 0; d < dim; ++d) {
              const int group = kind.form == Form::int4 ? 32 : 64, first = d / group * group;
              const auto [least, most] = std::minmax_element(
                  want.begin() + first, want.begin() + std::min(dim, first + group));
              const double largest = std::max(std::abs(*least), std::abs(*most));
              // Scales and minima are rounded to bf16: a code or two reach beyond the grid's end.
              const double bounds[] = {0, 0x1p-8 * std::abs(want[d]),
                                       0x1p-11 * std::abs(want[d]) + 0x1p-25,
                                       largest / 254 * 1.01 + largest * 0x1p-9,
                                       (*most - *least) / 30 * 1.01 + largest * 0x1p-7};
              ASSERT_LE(std::abs(got[d] - want[d]), bounds[static_cast<int>(kind.form)])
                  << kind.name() << ", dim " << d << " of " << dim;
            }
          }
    }
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
      Cache cache(kind, text);
      expect_close(text, kind, cache);
      EXPECT_TRUE(same_bits(cache.attend(7), cache.attend(kTokens)));
    }
  });
}

// A long text, in which errors could accumulate.
TEST_F(AttentionTest, StaysExactOverLongTexts) {
  const Text text({2, 1, 64, 0.125f}, 3000);
  const Kernels& best = best_kernels(features_);
  for (const Kind& kind : kinds(best)) {
    Cache cache(kind, text);
    const Stored stored(cache, text);
    std::vector<double> out(text.n_tokens * text.out_width());
    if (runs_emulated()) {
      for (const int row : {2900, 2950, 2999}) cache.rows(row, 1, out);
    } else {
      cache.rows(2900, 100, out);
    }
    double error = 0, size = 0;
    for (const int row : {2900, 2950, 2999}) {
      const Reference r = reference(text, kind, stored, row, 1);
      for (int d = 0; d < 64; ++d) {
        error = std::max(error, std::abs(out[row * 128 + 64 + d] - r.out[d]));
        size = std::max(size, std::abs(r.out[d]));
      }
    }
    EXPECT_LE(error, (5 * kind.sum_error() + kind.weight_error()) * size);
  }
}

}  // namespace
}  // namespace quern::cpu
