// Qwen 2 and 2.5: Llama with biases on q, k and v (taken where the file has them), rope by halves.
#include "models/family.h"

namespace quern {
namespace {

Value build(const Config& c, Builder b) {
  const AttentionSpec spec = attention_spec(c);
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

extern const Family kQwen2;
const Family kQwen2 = {.gguf = "qwen2", .build = build};

}  // namespace quern
