#include "support/tiny_llama.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "quant/format.h"

namespace quern::testing {
namespace {

class Filler {
 public:
  Filler(MemorySource& source, unsigned seed) : source_(source), random_(seed) {}

  void matrix(const std::string& name, Dtype dtype, int64_t n_out, int64_t n_in) {
    add(name, dtype, {n_out, n_in},
        values(n_out * n_in, 0, 1 / std::sqrt(static_cast<float>(n_in))));
  }
  void vector(const std::string& name, int64_t n, float mean, float spread) {
    add(name, Dtype::f32, {n}, values(n, mean, spread));
  }

 private:
  std::vector<float> values(int64_t n, float mean, float spread) {
    std::normal_distribution<float> normal(mean, spread);
    std::vector<float> v(n);
    for (float& x : v) x = normal(random_);
    return v;
  }
  void add(const std::string& name, Dtype dtype, std::vector<int64_t> dims,
           const std::vector<float>& v) {
    const int64_t n_cols = dims.back(), n_rows = static_cast<int64_t>(v.size()) / n_cols;
    std::vector<std::byte> bytes(matrix_bytes(dtype, n_rows, n_cols));
    find_format(dtype)->encode(v.data(), static_cast<int64_t>(v.size()), bytes.data());
    source_.add(name, dtype, std::move(dims), std::move(bytes));
  }

  MemorySource& source_;
  std::mt19937 random_;
};

void add_layer(Filler& fill, const TinyLlama& m, const std::string& prefix) {
  const int q = m.n_heads * m.head_dim, kv = m.n_kv_heads * m.head_dim;
  fill.vector(prefix + "attn_norm.weight", m.width, 1, 0.1f);
  fill.vector(prefix + "ffn_norm.weight", m.width, 1, 0.1f);
  fill.matrix(prefix + "attn_q.weight", m.linears, q, m.width);
  fill.matrix(prefix + "attn_k.weight", m.linears, kv, m.width);
  fill.matrix(prefix + "attn_v.weight", m.linears, kv, m.width);
  fill.matrix(prefix + "attn_output.weight", m.linears, m.width, q);
  fill.matrix(prefix + "ffn_gate.weight", m.linears, m.ffn, m.width);
  fill.matrix(prefix + "ffn_up.weight", m.linears, m.ffn, m.width);
  fill.matrix(prefix + "ffn_down.weight", m.linears, m.width, m.ffn);
  if (!m.biases) return;
  fill.vector(prefix + "attn_q.bias", q, 0, 0.1f);
  fill.vector(prefix + "attn_k.bias", kv, 0, 0.1f);
  fill.vector(prefix + "attn_v.bias", kv, 0, 0.1f);
  fill.vector(prefix + "attn_output.bias", m.width, 0, 0.1f);
}

}  // namespace

std::shared_ptr<MemorySource> make_tiny_llama(const TinyLlama& m) {
  auto source = std::make_shared<MemorySource>("tiny", "llama");
  auto& entries = source->metadata().entries;
  const auto integer = [&](const char* key, int64_t value) {
    entries[std::string("llama.") + key] = value;
  };
  integer("block_count", m.n_layers);
  integer("embedding_length", m.width);
  integer("feed_forward_length", m.ffn);
  integer("attention.head_count", m.n_heads);
  integer("attention.head_count_kv", m.n_kv_heads);
  integer("attention.key_length", m.head_dim);
  integer("context_length", 512);
  if (m.window) integer("attention.sliding_window", m.window);
  Filler fill(*source, m.seed);
  fill.matrix("token_embd.weight", m.embedding, m.n_vocab, m.width);
  if (!m.tied_head) fill.matrix("output.weight", m.embedding, m.n_vocab, m.width);
  fill.vector("output_norm.weight", m.width, 1, 0.1f);
  if (m.rope_factors) fill.vector("rope_freqs.weight", m.head_dim / 2, 2, 0.3f);
  for (int i = 0; i < m.n_layers; ++i) add_layer(fill, m, "blk." + std::to_string(i) + ".");
  return source;
}

}  // namespace quern::testing
