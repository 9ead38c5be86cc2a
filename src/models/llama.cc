// Llama 1-3, Mistral, SmolLM, TinyLlama: pre-norm blocks, grouped-query attention, SwiGLU.
#include "models/family.h"

namespace quern {
namespace {

Value build(const Config& c, Builder b) {
  AttentionSpec spec = attention_spec(c);
  spec.rope.interleaved = true;  // GGUF stores Llama's q and k for adjacent pairs
  Value x = b.embed("token_embd", c.n_vocab, c.width);
  for (int i = 0; i < c.n_layers; ++i) {
    Builder block = b.layer(i);
    x = block.add(x, self_attention(block, i, block.rms_norm(x, "attn_norm", c.epsilon), spec));
    x = block.add(x, gated_mlp(block, block.rms_norm(x, "ffn_norm", c.epsilon), c.ffn, c.width));
  }
  x = b.rms_norm(b.pick_used(x), "output_norm", c.epsilon);
  return b.linear(x, c.tied_head ? "token_embd" : "output", c.n_vocab);
}

}  // namespace

extern const Family kLlama;
const Family kLlama = {.gguf = "llama", .build = build};

}  // namespace quern
