// The op-level graph of one forward pass over a ragged batch: any mix of prompt chunks and single
// tokens of any sequences. Loops, kernels and memory are decided later (compile/).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace quern {

enum class Op : uint8_t {
  embed,
  linear,
  rms_norm,
  rope,
  attention,
  swiglu,
  relu2glu,
  add,
  scale,
  round_int8,
  pick_used,  // what families are written in
  slice,
  quantize,  // what passes add
  count
};

// Rows are symbolic. tokens: every token of the batch, sequences one after another. used: those
// whose logits are wanted.
enum class Rows : uint8_t { tokens, used };

// f32 numbers, or int8 codes with a scale per group (what integer products read). f64: what the
// buffers of exact numerics hold where the graph says f32.
enum class Element : uint8_t { f32, int8, f64 };

struct Shape {
  Rows rows;
  int width;  // elements per row
  Element element = Element::f32;
  bool operator==(const Shape&) const = default;
};

struct LinearPart {
  std::string weight, bias;  // weight (width, n_in); bias empty where there is none
  int width;
  bool operator==(const LinearPart&) const = default;
};

struct Embed {
  std::string weight;
  int n_vocab;
  bool operator==(const Embed&) const = default;
};
// The parts stand side by side in the output. With a second input, that one (the residual) is added
// to the product.
struct Linear {
  std::vector<LinearPart> parts;
  bool operator==(const Linear&) const = default;
};
struct Norm {
  std::string weight;
  float epsilon;
  bool operator==(const Norm&) const = default;
};
// factors: weight of rotated/2 frequency divisors; empty: none. scale: positions are divided by it.
struct Rope {
  int head_dim, rotated;
  float theta, scale;
  bool interleaved;
  std::string factors;
  bool operator==(const Rope&) const = default;
};
struct Attention {
  int layer, n_heads, n_kv_heads, head_dim, window;
  double scale;
  float softcap;
  int value_dim = 0;  // of a head's values and outputs; 0: head_dim
  bool operator==(const Attention&) const = default;
};  // window 0: all; softcap 0: none
struct Slice {
  int column;
  bool operator==(const Slice&) const = default;
};
struct Scale {
  std::string weight;  // one number that every element is multiplied by
  bool operator==(const Scale&) const = default;
};
using Attributes = std::variant<std::monostate, Embed, Linear, Norm, Rope, Attention, Slice, Scale>;

using NodeId = int32_t;

struct Node {
  Op op;
  std::vector<NodeId> inputs;
  Shape shape;
  Attributes attributes;
};

struct Graph {
  std::vector<Node> nodes;  // in an order in which every input precedes its user
  NodeId hidden = -1;       // (used, width): the final hidden state, of which the logits are made
  NodeId logits = -1;       // (used, n_vocab)
};

// One row per op (graph/ops.cc): what a new op must say about itself.
struct OpInfo {
  Op of;
  const char* name;
  int min_inputs, max_inputs;
  int attributes;                                     // index in Attributes that the op needs
  Result<Shape> (*shape)(const Graph&, const Node&);  // errors name the node and the shapes
  double (*flops)(const Graph&, const Node&);         // per row; attention without its context
};
const OpInfo& info(Op op);

// Appends a node with the shape its rule gives. A node its op refuses is a bug of the family or
// pass (CHECK).
NodeId append(Graph& graph, Op op, std::vector<NodeId> inputs, Attributes attributes);

// Which nodes read each value, in order.
std::vector<std::vector<NodeId>> users(const Graph& graph);

// One line a node: "%7 = linear(%5) weight=blk.0.attn_q.weight width=576 : tokens x 576". All of it
// is there but for members that have their usual value; numbers are exact.
std::string print(const Graph& graph);
// Reads it back, and verifies it. Errors: invalid_argument (line, column, what was expected there;
// or what verify says).
Result<Graph> parse(std::string_view text);
// Every input precedes its user, every shape is what the op's rule says, hidden and logits are f32
// nodes over used rows, in this order.
Result<> verify(const Graph& graph);

}  // namespace quern
