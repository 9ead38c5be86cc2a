// Pre-norm blocks, grouped-query attention, SwiGLU: Llama 1-3, Mistral, SmolLM, TinyLlama; Qwen 2
// and 2.5, which have biases on q, k and v (taken where the file has them).
#include "models/family.h"

namespace quern {
namespace {

Outputs build(const Config& c, Builder b, bool adjacent_pairs) {
  Value x = b.embed("token_embd", c.n_vocab, c.width);
  for (int i = 0; i < c.n_layers; ++i) {
    Builder block = b.layer(i);
    AttentionSpec spec = attention_spec(c, i);
    spec.rope.interleaved = adjacent_pairs;
    x = block.add(x, self_attention(block, i, block.rms_norm(x, "attn_norm", c.epsilon), spec));
    x = block.add(
        x, gated_mlp(block, block.rms_norm(x, "ffn_norm", c.epsilon), c.layers[i].ffn, c.width));
  }
  return outputs(c, b, x);
}

// GGUF stores Llama's q and k for rotations of adjacent pairs, Qwen's by halves.
Outputs build_llama(const Config& c, Builder b) { return build(c, b, true); }
Outputs build_qwen2(const Config& c, Builder b) { return build(c, b, false); }

// The first converters of Llama wrote how they laid out q and k. A file without the key, or with
// "reference", has them for adjacent pairs.
bool is_metas_order(const MetaValue& value, const Config&) {
  return value == MetaValue("Meta AI original pth") || value == MetaValue("reference");
}
constexpr KeyRule kLlamaKeys[] = {
    {"tensor_data_layout", is_metas_order, "q and k may be laid out for another rotation"},
    {"hidden_activation", is_silu, "the MLP has another activation"},
};
constexpr KeyRule kQwen2Keys[] = {
    {"hidden_activation", is_silu, "the MLP has another activation"},
};

}  // namespace

extern const Family kLlama, kQwen2;
const Family kLlama = {.gguf = "llama", .build = build_llama, .keys = kLlamaKeys};
const Family kQwen2 = {.gguf = "qwen2", .build = build_qwen2, .keys = kQwen2Keys};

}  // namespace quern
