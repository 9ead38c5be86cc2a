#include "nn/blocks.h"

#include <cmath>
#include <utility>

namespace quern {

bool Builder::has(const std::string& weight) const {
  return source_.find(prefix_ + weight + ".weight") != nullptr;
}

Value Builder::embed(const std::string& weight, int n_vocab, int width) {
  graph_.nodes.push_back(
      {Op::embed, {}, {Rows::tokens, width}, Embed{prefix_ + weight + ".weight", n_vocab}});
  return {static_cast<NodeId>(graph_.nodes.size() - 1)};
}

Value Builder::linear(Value x, const std::string& weight, int width_out) {
  std::string bias = prefix_ + weight + ".bias", scale = prefix_ + weight + ".scale";
  if (!source_.find(bias)) bias.clear();
  if (!source_.find(scale)) scale.clear();
  const auto scaled = [&](Value v) {
    return Value{append(graph_, Op::scale, {v.id}, Scale{scale})};
  };
  const bool has_bias = !bias.empty();
  if (!scale.empty() && has_bias) x = scaled(x);  // scale (W x) + bias = W (scale x) + bias
  const Value y = {append(graph_, Op::linear, {x.id},
                          Linear{{{prefix_ + weight + ".weight", std::move(bias), width_out}}})};
  return !scale.empty() && !has_bias ? scaled(y) : y;
}

Value Builder::rms_norm(Value x, const std::string& weight, float epsilon) {
  return {append(graph_, Op::rms_norm, {x.id}, Norm{prefix_ + weight + ".weight", epsilon})};
}

Value Builder::rope(Value x, Rope rope) {
  rope.factors += ".weight";  // rope factors belong to the model, not to a layer
  if (!source_.find(rope.factors)) rope.factors.clear();
  return {append(graph_, Op::rope, {x.id}, std::move(rope))};
}

Value Builder::attention(Value q, Value k, Value v, const Attention& attention) {
  return {append(graph_, Op::attention, {q.id, k.id, v.id}, attention)};
}

Value Builder::swiglu(Value gate, Value up) {
  return {append(graph_, Op::swiglu, {gate.id, up.id}, {})};
}
Value Builder::relu2glu(Value gate, Value up) {
  return {append(graph_, Op::relu2glu, {gate.id, up.id}, {})};
}
Value Builder::round_int8(Value x) { return {append(graph_, Op::round_int8, {x.id}, {})}; }
Value Builder::add(Value a, Value b) { return {append(graph_, Op::add, {a.id, b.id}, {})}; }
Value Builder::pick_used(Value x) { return {append(graph_, Op::pick_used, {x.id}, {})}; }

Value attend(Builder b, int layer, Value x, const AttentionSpec& spec) {
  const Value q = b.rope(b.linear(x, "attn_q", spec.n_heads * spec.head_dim), spec.rope);
  const Value k = b.rope(b.linear(x, "attn_k", spec.n_kv_heads * spec.head_dim), spec.rope);
  const Value v = b.linear(x, "attn_v", spec.n_kv_heads * spec.head_dim);
  return b.attention(q, k, v,
                     {.layer = layer,
                      .n_heads = spec.n_heads,
                      .n_kv_heads = spec.n_kv_heads,
                      .head_dim = spec.head_dim,
                      .window = spec.window,
                      .scale = 1 / std::sqrt(static_cast<double>(spec.head_dim)),
                      .softcap = spec.softcap});
}

Value self_attention(Builder b, int layer, Value x, const AttentionSpec& spec) {
  return b.linear(attend(b, layer, x, spec), "attn_output", spec.width);
}

Value gated_mlp(Builder b, Value x, int ffn, int width) {
  const Value gate = b.linear(x, "ffn_gate", ffn), up = b.linear(x, "ffn_up", ffn);
  return b.linear(b.swiglu(gate, up), "ffn_down", width);
}

}  // namespace quern
