// Pre-norm blocks, grouped-query attention, SwiGLU: Llama 1-3, Mistral, SmolLM, TinyLlama; Qwen 2
// and 2.5, which have biases on q, k and v (taken where the file has them).
#include "models/family.h"

namespace quern {
namespace {

Outputs build(const Config& c, Builder b, bool adjacent_pairs) {
  AttentionSpec spec = attention_spec(c);
  spec.rope.interleaved = adjacent_pairs;
  Value x = b.embed("token_embd", c.n_vocab, c.width);
  for (int i = 0; i < c.n_layers; ++i) {
    Builder block = b.layer(i);
    x = block.add(x, self_attention(block, i, block.rms_norm(x, "attn_norm", c.epsilon), spec));
    x = block.add(x, gated_mlp(block, block.rms_norm(x, "ffn_norm", c.epsilon), c.ffn, c.width));
  }
  return outputs(c, b, x);
}

// GGUF stores Llama's q and k for rotations of adjacent pairs, Qwen's by halves.
Outputs build_llama(const Config& c, Builder b) { return build(c, b, true); }
Outputs build_qwen2(const Config& c, Builder b) { return build(c, b, false); }

}  // namespace

extern const Family kLlama, kQwen2;
const Family kLlama = {.gguf = "llama", .build = build_llama};
const Family kQwen2 = {.gguf = "qwen2", .build = build_qwen2};

}  // namespace quern
