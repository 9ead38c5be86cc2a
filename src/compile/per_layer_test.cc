// Keys with one value per layer: equal ones are that number, differing ones make a model whose
// layers differ, and lists of another length are refused.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "compile/compile.h"
#include "models/config.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;
using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;

std::vector<float> logits(std::shared_ptr<const WeightSource> source, Numerics numerics,
                          Error* error = nullptr) {
  const CompileOptions options = {
      .threads = 2, .numerics = numerics, .max_rows = 8, .cache_tokens = 64};
  const auto executor = compile(std::move(source), options);
  if (!executor) {
    if (error) *error = executor.error();
    EXPECT_TRUE(error) << to_string(executor.error());
    return {};
  }
  const std::vector<int32_t> tokens{1, 7, 3, 90, 4}, pages{0}, used{3, 4};
  const std::vector<Chunk> chunks{{0, 5, 0, pages, 2}};
  std::vector<float> out(used.size() * (*executor)->n_vocab());
  EXPECT_TRUE((*executor)->forward({tokens, chunks, used}, out));
  return out;
}

struct Case {
  const char* key;
  MetaValue value;
};
std::string label(const Case& c) { return std::string(c.key) + " = " + to_text(c.value); }

// Two layers, 4 heads of 16 over 2, MLP of 96.
std::shared_ptr<MemorySource> with(const Case& c) {
  auto source = make_tiny_llama({});
  source->metadata().entries[std::string("llama.") + c.key] = c.value;
  return source;
}

TEST(PerLayer, EqualValuesAreThatNumber) {
  const Case cases[] = {
      {"feed_forward_length", Ints{96, 96}},
      {"attention.head_count", Ints{4, 4}},
      {"attention.head_count_kv", Ints{2, 2}},
      {"attention.key_length", Ints{16, 16}},
      {"attention.value_length", Ints{16, 16}},
      {"rope.dimension_count", Ints{16, 16}},
      {"attention.sliding_window", Ints{0, 0}},
      {"attention.layer_norm_rms_epsilon", Floats{1e-5f, 1e-5f}},
      {"rope.freq_base", Floats{10000, 10000}},
      {"rope.freq_base", Ints{10000, 10000}},
      {"rope.scaling.factor", Floats{1, 1}},
  };
  const std::vector<float> want = logits(make_tiny_llama({}), Numerics::automatic);
  for (const Case& c : cases) EXPECT_EQ(logits(with(c), Numerics::automatic), want) << label(c);
}

TEST(PerLayer, WhatDoesNotFitIsRefusedByName) {
  const struct {
    Case c;
    Code code;
    const char* says;
  } cases[] = {
      {{"feed_forward_length", Ints{96}}, Code::corrupt, "has 1 values for 2 layers"},
      {{"feed_forward_length", Ints{96, 96, 96}}, Code::corrupt, "has 3 values for 2 layers"},
      {{"feed_forward_length", Ints{}}, Code::corrupt, "not a single integer"},
      {{"feed_forward_length", Ints{96, -1}}, Code::corrupt, "is -1"},
      {{"feed_forward_length", Ints{96, 0}}, Code::unsupported, "96 in layer 0, 0 in layer 1"},
      {{"feed_forward_length", Floats{96, 96}}, Code::corrupt, "not a single integer"},
      {{"feed_forward_length", "96"}, Code::corrupt, "not a single integer"},
      {{"attention.head_count", Ints{4}}, Code::corrupt, "has 1 values for 2 layers"},
      {{"attention.head_count", Ints{4, 0}}, Code::unsupported, "4 in layer 0, 0 in layer 1"},
      {{"attention.head_count", Ints{0, 0}}, Code::corrupt, "is 0"},
      {{"attention.head_count", Ints{4, 3}}, Code::corrupt, "3 heads over 2 kv heads in layer 1"},
      {{"attention.head_count_kv", Ints{2, 2, 2}}, Code::corrupt, "has 3 values for 2 layers"},
      {{"attention.head_count_kv", Ints{2, 0}}, Code::unsupported, "2 in layer 0, 0 in layer 1"},
      {{"attention.key_length", Ints{16, 8}}, Code::unsupported, "16 in layer 0, 8 in layer 1"},
      {{"rope.dimension_count", Ints{8, 16}}, Code::unsupported, "8 in layer 0, 16 in layer 1"},
      {{"attention.sliding_window", Ints{40, 8}}, Code::unsupported, "40 in layer 0, 8 in layer 1"},
      {{"attention.sliding_window", Ints{40, 0}}, Code::unsupported, "40 in layer 0, 0 in layer 1"},
      {{"rope.freq_base", Floats{1e4, 5e5}},
       Code::unsupported,
       "10000 in layer 0, 500000 in layer 1"},
      {{"rope.freq_base", Floats{1e4}}, Code::corrupt, "has 1 values for 2 layers"},
      {{"rope.freq_base", "10000"}, Code::corrupt, "not a single number"},
      {{"attention.layer_norm_rms_epsilon", "1e-5"}, Code::corrupt, "not a single number"},
      {{"rope.scaling.factor", Floats{1, 2}}, Code::unsupported, "1 in layer 0, 2 in layer 1"},
      {{"rope.scaling.factor", "2"}, Code::corrupt, "not a single number"},
      {{"rope.scaling.type", int64_t{1}}, Code::corrupt, "not a string"},
      {{"block_count", Ints{2}}, Code::corrupt, "not a single integer"},
      {{"embedding_length", Ints{64, 64}}, Code::corrupt, "not a single integer"},
      {{"context_length", Ints{512, 512}}, Code::corrupt, "not a single integer"},
  };
  for (const auto& [c, code, says] : cases) {
    Error error{};
    EXPECT_TRUE(logits(with(c), Numerics::exact, &error).empty()) << label(c);
    EXPECT_EQ(error.code, code) << label(c) << ": " << error.what;
    EXPECT_NE(error.what.find(says), std::string::npos) << label(c) << ": " << error.what;
    if (error.what.find("heads over") != std::string::npos) continue;  // two keys together
    EXPECT_NE(error.what.find(c.key), std::string::npos) << error.what;
  }
}

// The rows [0, n) of a matrix, or its columns, as a tensor of another model.
std::vector<std::byte> part(const Weight& w, int64_t n_rows, int64_t n_cols) {
  std::vector<std::byte> out;
  for (int64_t row = 0; row < n_rows; ++row) {
    const auto from = w.data.subspan(row * w.n_cols() * 4, n_cols * 4);
    out.insert(out.end(), from.begin(), from.end());
  }
  return out;
}

struct Narrow {
  const char* name;
  int ffn, n_heads, n_kv_heads;  // of layer 1
};

// Layer 1 cut down; or kept as wide as layer 0, with zeros in the place of what was cut, which
// computes the same.
std::shared_ptr<MemorySource> narrowed(const Narrow& to, bool cut) {
  const auto full = make_tiny_llama({});
  auto source = std::make_shared<MemorySource>("narrow", "llama");
  source->metadata() = full->metadata();
  const int q = to.n_heads * 16, kv = to.n_kv_heads * 16;
  for (const Weight& w : full->weights()) {
    std::vector<int64_t> dims = w.dims;
    const auto ends = [&](const char* end) { return w.name == std::string("blk.1.") + end; };
    if (ends("ffn_gate.weight") || ends("ffn_up.weight")) dims[0] = to.ffn;
    if (ends("attn_q.weight")) dims[0] = q;
    if (ends("attn_k.weight") || ends("attn_v.weight")) dims[0] = kv;
    if (ends("ffn_down.weight")) dims[1] = to.ffn;
    if (ends("attn_output.weight")) dims[1] = q;
    if (cut) {
      source->add(
          w.name, w.dtype, dims,
          dims.size() == 1 ? std::vector(w.data.begin(), w.data.end()) : part(w, dims[0], dims[1]));
      continue;
    }
    std::vector<std::byte> bytes(w.data.begin(), w.data.end());
    const int64_t n_cols = w.n_cols();
    for (int64_t row = 0; row < w.n_rows() && dims.size() == 2; ++row)
      std::memset(bytes.data() + (row * n_cols + dims[1]) * 4, 0, (n_cols - dims[1]) * 4);
    source->add(w.name, w.dtype, w.dims, std::move(bytes));
  }
  if (cut) {
    auto& keys = source->metadata().entries;
    keys["llama.feed_forward_length"] = Ints{96, to.ffn};
    keys["llama.attention.head_count"] = Ints{4, to.n_heads};
    keys["llama.attention.head_count_kv"] = Ints{2, to.n_kv_heads};
  }
  return source;
}

TEST(PerLayer, LayersMayDiffer) {
  const Narrow cases[] = {
      {"ffn", 64, 4, 2}, {"heads", 96, 2, 1}, {"both", 32, 2, 1}, {"none", 96, 4, 2}};
  for (const Narrow& c : cases) {
    const auto padded = logits(narrowed(c, false), Numerics::exact);
    EXPECT_EQ(logits(narrowed(c, true), Numerics::exact), padded) << c.name;
    EXPECT_EQ(padded == logits(make_tiny_llama({}), Numerics::exact),
              c.name == std::string("none"));
    EXPECT_FALSE(logits(narrowed(c, true), Numerics::automatic).empty());
  }
}

}  // namespace
}  // namespace quern
