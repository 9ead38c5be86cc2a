// BitNet b1.58: ternary weights, a norm before the output and the down product as well, and inputs
// of all products in the blocks rounded to int8 per token, which the models were trained with: it
// is part of the model, so the exact path does it too. Rope by halves.
//
// Three architecture names in use: bitnet (the early models of 0.7 B and 3 B: SiLU; llama.cpp's
// converter adds a scale per product as a tensor of its own), bitnet-25 and bitnet-b1.58 (BitNet
// b1.58 2B-4T and what came after: squared ReLU).
#include "models/family.h"

namespace quern {
namespace {

using Gate = Value (Builder::*)(Value gate, Value up);

Value mlp(Builder b, int layer, Value x, const Config& c, Gate gate) {
  const int ffn = c.layers[layer].ffn;
  const Value gated = (b.*gate)(b.linear(x, "ffn_gate", ffn), b.linear(x, "ffn_up", ffn));
  return b.linear(b.round_int8(b.rms_norm(gated, "ffn_sub_norm", c.epsilon)), "ffn_down", c.width);
}

Value attention(Builder b, int layer, Value x, const Config& c) {
  const Value mixed = attend(b, layer, x, attention_spec(c, layer));
  return b.linear(b.round_int8(b.rms_norm(mixed, "attn_sub_norm", c.epsilon)), "attn_output",
                  c.width);
}

Outputs build(const Config& c, Builder b, Gate gate) {
  Value x = b.embed("token_embd", c.n_vocab, c.width);
  for (int i = 0; i < c.n_layers; ++i) {
    Builder block = b.layer(i);
    const auto input = [&](const char* norm) {
      return block.round_int8(block.rms_norm(x, norm, c.epsilon));
    };
    x = block.add(x, attention(block, i, input("attn_norm"), c));
    x = block.add(x, mlp(block, i, input("ffn_norm"), c, gate));
  }
  return outputs(c, b, x);
}

Outputs build_silu(const Config& c, Builder b) { return build(c, b, &Builder::swiglu); }
Outputs build_relu2(const Config& c, Builder b) { return build(c, b, &Builder::relu2glu); }

bool is_relu2(const MetaValue& value, const Config&) { return value == MetaValue("relu2"); }
constexpr KeyRule kSiluKeys[] = {
    {"hidden_activation", is_silu, "the MLP has another activation"},
};
constexpr KeyRule kRelu2Keys[] = {
    {"hidden_activation", is_relu2, "the MLP has another activation"},
};

}  // namespace

extern const Family kBitnet, kBitnet25, kBitnetB158;
const Family kBitnet = {.gguf = "bitnet", .build = build_silu, .keys = kSiluKeys};
const Family kBitnet25 = {.gguf = "bitnet-25", .build = build_relu2, .keys = kRelu2Keys};
const Family kBitnetB158 = {.gguf = "bitnet-b1.58", .build = build_relu2, .keys = kRelu2Keys};

}  // namespace quern
