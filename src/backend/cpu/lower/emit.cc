// The flat list of steps, over values: every value of the graph is a buffer of its own, and the
// planner lets them share memory. Row ops that follow each other run as one step, row by row; a
// product or an attention is a step of its own.
#include <algorithm>
#include <utility>

#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/target.h"
#include "backend/cpu/uses.h"
#include "base/enum_table.h"

namespace quern::cpu {
namespace {

constexpr int64_t kLine = 64;
int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

class Emitter {
 public:
  explicit Emitter(Lowering& c) : c_(c) {}

  void run() {
    for (size_t i = 0; i < c_.graph.nodes.size(); ++i) {
      const Node& node = c_.graph.nodes[i];
      views_.push_back(place(static_cast<NodeId>(i), node));
      row_of(kEmit, node.op).emit(*this, static_cast<NodeId>(i), node);
      if (static_cast<NodeId>(i) == c_.graph.hidden)
        c_.program.n_hidden_steps = static_cast<int>(c_.program.steps.size());
    }
    c_.program.logits = view(c_.graph.logits);
    c_.program.hidden = view(c_.graph.hidden);
    c_.program.width = shape(c_.graph.hidden).width;
  }

 private:
  View view(NodeId id) const { return views_[id]; }
  const Shape& shape(NodeId id) const { return c_.graph.nodes[id].shape; }

  // A slice is columns of its input; every other node makes a value.
  View place(NodeId id, const Node& node) {
    if (node.op == Op::slice) {
      View of_input = view(node.inputs[0]);
      of_input.column += std::get<Slice>(node.attributes).column;
      return of_input;
    }
    const bool exact = c_.options.numerics == Numerics::exact;
    const Element element =
        exact && node.shape.element == Element::f32 ? Element::f64 : node.shape.element;
    auto& buffers = c_.program.buffers;
    buffers.push_back({node.shape.rows, element, node.shape.width, row_bytes(id, element)});
    return {static_cast<int>(buffers.size() - 1)};
  }

  // The ids of weights. A matrix is one of the packed ones, or read as the model's file has it.
  int matrix(const std::string& name, bool packed) {
    const QuantMatrix& m = c_.weights.matrices.at(name).matrix;
    const int64_t at = packed ? c_.packed_at.at(name) : -1;
    auto& matrices = c_.program.matrices;
    const auto known = std::ranges::find_if(matrices, [&](const ProgramMatrix& one) {
      return one.name == name && one.packed_at == at;
    });
    if (known != matrices.end()) return static_cast<int>(known - matrices.begin());
    matrices.push_back({name, m.dtype, m.n_rows, m.n_cols, at});
    return static_cast<int>(matrices.size() - 1);
  }

  // Norm weights, biases and factors are small and used as f32: decoded once, padded with zeros.
  int vector(const std::string& name) {
    auto& vectors = c_.program.vectors;
    const auto known = std::ranges::find(vectors, name, &ProgramVector::name);
    if (known != vectors.end()) return static_cast<int>(known - vectors.begin());
    const BoundWeight& weight = c_.weights.vectors.at(name);
    std::vector<float>& all = c_.program_weights.vectors;
    const auto at = std::ssize(all);
    all.resize(all.size() + padded(weight.matrix.n_cols, kPanelRows));
    weight.format->decode(weight.matrix, 0, 1, all.data() + at);
    vectors.push_back({name, at, std::ssize(all) - at});
    return static_cast<int>(vectors.size() - 1);
  }

  int64_t row_bytes(NodeId id, Element element) const {
    const int width = shape(id).width;
    if (element == Element::int8) return most_terms(c_.forms[id][0]) * activation_bytes(width);
    // An odd number of lines apart, rows spread over the sets of a cache.
    const int64_t bytes = padded(width, kPanelRows) * bytes_of(element);
    return bytes / kLine % 2 ? bytes : bytes + kLine;
  }

  // What an op reads of other rows must be there before the step begins.
  void row_op(Rows rows, RowOp op) {
    auto& steps = c_.program.steps;
    const bool by_itself =
        std::ranges::all_of(uses(op), [](const auto& use) { return use.own_row; });
    auto* open = steps.empty() ? nullptr : std::get_if<RowStep>(&steps.back());
    if (open && open->rows == rows && by_itself) {
      open->ops.push_back(std::move(op));
    } else {
      steps.push_back(RowStep{rows, {std::move(op)}});
    }
  }

  static void embed(Emitter& e, NodeId id, const Node& node) {
    e.row_op(Rows::tokens, {.kind = RowKind::embed,
                            .out = e.view(id),
                            .width = node.shape.width,
                            .table = e.matrix(std::get<Embed>(node.attributes).weight, false)});
  }

  // Of one or two inputs, and nothing else to know.
  template <RowKind kind>
  static void row_kind(Emitter& e, NodeId id, const Node& node) {
    RowOp op = {.kind = kind,
                .in = e.view(node.inputs[0]),
                .out = e.view(id),
                .width = e.shape(node.inputs[0]).width};
    if (node.inputs.size() > 1) op.in2 = e.view(node.inputs[1]);
    e.row_op(node.shape.rows, std::move(op));
  }
  static void scale(Emitter& e, NodeId id, const Node& node) {
    e.row_op(node.shape.rows, {.kind = RowKind::scale,
                               .in = e.view(node.inputs[0]),
                               .out = e.view(id),
                               .width = node.shape.width,
                               .weight = e.vector(std::get<Scale>(node.attributes).weight)});
  }
  static void quantize(Emitter& e, NodeId id, const Node& node) {
    RowOp op = {.kind = RowKind::quantize,
                .in = e.view(node.inputs[0]),
                .out = e.view(id),
                .width = e.shape(node.inputs[0]).width,
                .forms = e.c_.forms[id][0]};
    e.row_op(node.shape.rows, std::move(op));
  }
  static void slice(Emitter&, NodeId, const Node&) {}  // columns of a buffer: nothing to do

  static void norm(Emitter& e, NodeId id, const Node& node) {
    const Norm& attributes = std::get<Norm>(node.attributes);
    e.row_op(node.shape.rows, {.kind = RowKind::rms_norm,
                               .in = e.view(node.inputs[0]),
                               .out = e.view(id),
                               .width = node.shape.width,
                               .weight = e.vector(attributes.weight),
                               .epsilon = attributes.epsilon});
  }

  int rope_table(const Rope& rope) {
    RopeTable table = {.rotated = rope.rotated, .theta = rope.theta, .scale = rope.scale};
    if (!rope.factors.empty()) {
      const BoundWeight& factors = c_.weights.vectors.at(rope.factors);
      table.factors.resize(rope.rotated / 2);
      factors.format->decode(factors.matrix, 0, 1, table.factors.data());
    }
    auto& tables = c_.program.rope_tables;
    const auto at = std::ranges::find(tables, table);
    if (at != tables.end()) return static_cast<int>(at - tables.begin());
    tables.push_back(std::move(table));
    return static_cast<int>(tables.size() - 1);
  }

  static void rope(Emitter& e, NodeId id, const Node& node) {
    const Rope& attributes = std::get<Rope>(node.attributes);
    e.row_op(node.shape.rows, {.kind = RowKind::rope,
                               .in = e.view(node.inputs[0]),
                               .out = e.view(id),
                               .width = node.shape.width,
                               .rope_table = e.rope_table(attributes),
                               .n_heads = node.shape.width / attributes.head_dim,
                               .head_dim = attributes.head_dim,
                               .interleaved = attributes.interleaved});
  }

  static void linear(Emitter& e, NodeId id, const Node& node) {
    const auto kind = e.c_.products[id];
    ProductStep step = {.kind = kind,
                        .rows = node.shape.rows,
                        .in = e.view(node.inputs[0]),
                        .n_in = e.shape(node.inputs[0]).width,
                        .add = node.inputs.size() == 2};
    View out = e.view(id);
    for (const LinearPart& part : std::get<Linear>(node.attributes).parts) {
      ProductPart p = {.matrix = e.matrix(part.weight, kind != ProductKind::exact),
                       .out = out,
                       .n_panels = (part.width + kPanelRows - 1) / kPanelRows};
      if (!part.bias.empty()) p.bias = e.vector(part.bias);
      if (kind == ProductKind::quantized) p.forms = e.c_.forms[id][step.parts.size()];
      step.parts.push_back(std::move(p));
      out.column += part.width;
    }
    // The sum starts from a copy of the residual, which the planner saves where it can.
    if (step.add) {
      e.row_op(node.shape.rows, {.kind = RowKind::copy,
                                 .in = e.view(node.inputs[1]),
                                 .out = e.view(id),
                                 .width = node.shape.width});
    }
    e.tune(step);
    e.c_.program.steps.push_back(std::move(step));
  }

  // A table that is to be searched gets an entry of every product.
  void tune(const ProductStep& step) {
    if (c_.options.tuning && step.kind != ProductKind::exact)
      c_.options.tuning->products.try_emplace(describe(c_.program, step), usual_tuning(target()));
  }

  static void attention(Emitter& e, NodeId id, const Node& node) {
    const Attention& a = std::get<Attention>(node.attributes);
    auto& layers = e.c_.program.layers;
    CHECK(a.layer == static_cast<int>(layers.size()), "attention layers are numbered in order");
    layers.push_back({.n_heads = a.n_heads,
                      .n_kv_heads = a.n_kv_heads,
                      .head_dim = a.head_dim,
                      .scale = a.scale,
                      .window = a.window,
                      .softcap = a.softcap,
                      .value_dim = a.value_dim});
    e.row_op(Rows::tokens, {.kind = RowKind::append,
                            .in = e.view(node.inputs[1]),
                            .in2 = e.view(node.inputs[2]),
                            .width = int64_t{a.n_kv_heads} * a.head_dim,
                            .width2 = int64_t{a.n_kv_heads} * value_dim_of(layers.back()),
                            .layer = a.layer});
    e.c_.program.steps.push_back(AttendStep{a.layer, int64_t{a.n_heads} * a.head_dim,
                                            e.view(node.inputs[0]), e.view(id), node.shape.width});
  }

  struct Row {
    Op of;
    void (*emit)(Emitter&, NodeId, const Node&);
  };
  static constexpr Row kEmit[] = {
      {Op::embed, embed},
      {Op::linear, linear},
      {Op::rms_norm, norm},
      {Op::rope, rope},
      {Op::attention, attention},
      {Op::swiglu, row_kind<RowKind::swiglu>},
      {Op::relu2glu, row_kind<RowKind::relu2glu>},
      {Op::add, row_kind<RowKind::add>},
      {Op::scale, scale},
      {Op::round_int8, row_kind<RowKind::round_int8>},
      {Op::pick_used, row_kind<RowKind::pick_used>},
      {Op::slice, slice},
      {Op::quantize, quantize},
  };
  static_assert(has_row_for_each(kEmit));

  Lowering& c_;
  std::vector<View> views_;  // per node, where its value stands
};

Result<KvKind> cache_kind(const Lowering& c) {
  const KvKind asked = c.options.kv;
  if (asked == KvKind::automatic)
    return c.options.numerics == Numerics::fine ? KvKind::f16 : KvKind::bf16;
  if (c.options.numerics == Numerics::exact)
    return Error{Code::invalid_argument, "exact numerics keep keys and values in f64", "",
                 "leave the kind of cache to them"};
  const bool rotated = asked == KvKind::int8 || asked == KvKind::int4;
  int head_dim = 0;
  for (const AttentionShape& layer : c.program.layers)
    head_dim = std::max(head_dim, layer.head_dim);
  if (rotated && head_dim > kMaxDims)
    return Error{Code::unsupported,
                 "heads of " + std::to_string(head_dim) + " dims in an integer cache",
                 c.weights.source->path(), "use bf16 or f16 keys and values"};
  return asked;
}

}  // namespace

Result<> emit(Lowering& c) {
  c.program.numerics = c.options.numerics;
  c.program.max_rows = c.options.max_rows;
  c.program.n_vocab = c.graph.nodes[c.graph.logits].shape.width;
  Emitter(c).run();
  TRY(c.program.kv, cache_kind(c));
  return Ok{};
}

}  // namespace quern::cpu
