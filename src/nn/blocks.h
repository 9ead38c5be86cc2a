// The building blocks of model families. A family (models/) only combines these; quantization,
// batching and devices do not appear here.
#pragma once
#include <string>

#include "formats/weight_source.h"
#include "graph/graph.h"

namespace quern {

struct Value {
  NodeId id;
};

// Appends nodes to one graph. `prefix` is the scope of weight names: in layer 3 "attn_q" is
// "blk.3.attn_q.weight". The source is only asked which optional weights (biases, rope factors) the
// file has.
class Builder {
 public:
  Builder(Graph& graph, const WeightSource& source, std::string prefix = "")
      : graph_(graph), source_(source), prefix_(std::move(prefix)) {}
  Builder layer(int i) const { return Builder(graph_, source_, "blk." + std::to_string(i) + "."); }

  bool has(
      const std::string& weight) const;  // "attn_q_norm": whether the file has it in this scope

  Value embed(const std::string& weight, int n_vocab, int width);
  // Bias, and a scale of the whole product ("attn_q.scale"), are used where the file has them.
  Value linear(Value x, const std::string& weight, int width_out);
  Value rms_norm(Value x, const std::string& weight, float epsilon);
  Value rope(Value x, Rope rope);  // rope.factors: its weight's name, used where the file has it
  Value attention(Value q, Value k, Value v, const Attention& attention);
  Value swiglu(Value gate, Value up);
  Value relu2glu(Value gate, Value up);
  Value round_int8(Value x);  // each row as int8 with one scale (backend/cpu/rows.h)
  Value add(Value a, Value b);
  Value pick_used(Value x);  // (tokens, w) -> (used, w)

 private:
  Graph& graph_;
  const WeightSource& source_;
  std::string prefix_;
};

// Grouped-query self-attention with rotary positions; the options are the differences between
// families.
struct AttentionSpec {
  int n_heads, n_kv_heads, head_dim, width;  // width: of the block's output
  int window = 0;
  Rope rope;
  float softcap = 0;
};
// Products q, k, v of x, rope on q and k, and the attention: (rows, n_heads * head_dim).
Value attend(Builder b, int layer, Value x, const AttentionSpec& spec);
// attend, then the output product.
Value self_attention(Builder b, int layer, Value x, const AttentionSpec& spec);
Value gated_mlp(Builder b, Value x, int ffn, int width);

}  // namespace quern
