// The flat list of steps. Row ops that follow each other run as one step, row by row; a product or
// an attention is a step of its own.
#include <algorithm>
#include <utility>

#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/target.h"

namespace quern::cpu {
namespace {

class Emitter {
 public:
  explicit Emitter(Lowering& c) : c_(c) {}

  void run() {
    for (size_t i = 0; i < c_.graph.nodes.size(); ++i) {
      const Node& node = c_.graph.nodes[i];
      kEmit[static_cast<int>(node.op)](*this, static_cast<NodeId>(i), node);
      if (static_cast<NodeId>(i) == c_.graph.hidden)
        c_.program.n_hidden_steps = static_cast<int>(c_.program.steps.size());
    }
  }

 private:
  View view(NodeId id) const { return c_.views[id]; }
  const Shape& shape(NodeId id) const { return c_.graph.nodes[id].shape; }

  void row_op(Rows rows, RowOp op) {
    auto& steps = c_.program.steps;
    auto* open = steps.empty() ? nullptr : std::get_if<RowStep>(&steps.back());
    if (open && open->rows == rows) {
      open->ops.push_back(std::move(op));
    } else {
      steps.push_back(RowStep{rows, {std::move(op)}});
    }
  }

  static void embed(Emitter& e, NodeId id, const Node& node) {
    e.row_op(Rows::tokens,
             {.kind = RowKind::embed,
              .out = e.view(id),
              .width = node.shape.width,
              .table = e.c_.weights.matrices.at(std::get<Embed>(node.attributes).weight).matrix});
  }

  static void simple(Emitter& e, NodeId id, const Node& node, RowKind kind) {
    RowOp op = {.kind = kind,
                .in = e.view(node.inputs[0]),
                .out = e.view(id),
                .width = e.shape(node.inputs[0]).width};
    if (node.inputs.size() > 1) op.in2 = e.view(node.inputs[1]);
    e.row_op(node.shape.rows, std::move(op));
  }
  static void swiglu(Emitter& e, NodeId id, const Node& node) {
    simple(e, id, node, RowKind::swiglu);
  }
  static void add(Emitter& e, NodeId id, const Node& node) { simple(e, id, node, RowKind::add); }
  static void relu2glu(Emitter& e, NodeId id, const Node& node) {
    simple(e, id, node, RowKind::relu2glu);
  }
  static void round_int8(Emitter& e, NodeId id, const Node& node) {
    simple(e, id, node, RowKind::round_int8);
  }
  static void scale(Emitter& e, NodeId id, const Node& node) {
    e.row_op(node.shape.rows, {.kind = RowKind::scale,
                               .in = e.view(node.inputs[0]),
                               .out = e.view(id),
                               .width = node.shape.width,
                               .weight = e.c_.vectors.at(std::get<Scale>(node.attributes).weight)});
  }
  static void pick(Emitter& e, NodeId id, const Node& node) {
    simple(e, id, node, RowKind::pick_used);
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
                               .weight = e.c_.vectors.at(attributes.weight),
                               .epsilon = attributes.epsilon});
  }

  int rope_table(const Rope& rope) {
    RopeTable table = {.rotated = rope.rotated, .theta = rope.theta, .scale = rope.scale};
    if (!rope.factors.empty()) {
      const float* factors = c_.vectors.at(rope.factors);
      table.factors.assign(factors, factors + rope.rotated / 2);
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
      ProductPart p = {.source = e.c_.weights.matrices.at(part.weight).matrix,
                       .out = out,
                       .n_panels = (part.width + kPanelRows - 1) / kPanelRows};
      if (!part.bias.empty()) p.bias = e.c_.vectors.at(part.bias);
      if (kind != ProductKind::exact) p.packed = e.c_.packed.at(part.weight);
      if (kind == ProductKind::quantized) p.forms = e.c_.forms[id][step.parts.size()];
      step.parts.push_back(std::move(p));
      out.column += part.width;
    }
    // Not in place (the residual is read again later): the sum starts from a copy of it.
    if (step.add && !(e.view(node.inputs[1]) == e.view(id))) {
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
      c_.options.tuning->products.try_emplace(describe(step), usual_tuning(target()));
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
                      .softcap = a.softcap});
    e.row_op(Rows::tokens, {.kind = RowKind::append,
                            .in = e.view(node.inputs[1]),
                            .in2 = e.view(node.inputs[2]),
                            .width = a.n_kv_heads * a.head_dim,
                            .layer = a.layer});
    e.c_.program.steps.push_back(AttendStep{a.layer, e.view(node.inputs[0]), e.view(id)});
  }

  // In the order of Op.
  static constexpr void (*kEmit[])(Emitter&, NodeId, const Node&) = {
      embed, linear, norm,       rope, attention, swiglu,  relu2glu,
      add,   scale,  round_int8, pick, slice,     quantize};
  static_assert(sizeof kEmit / sizeof kEmit[0] == static_cast<size_t>(Op::count));

  Lowering& c_;
};

// Values that neither another step nor the caller reads need no memory of every row: one row in
// each thread's scratch does.
void make_local(Program& program) {
  std::vector<int> step_of(program.buffers.size(), -1);  // -2: several
  const auto note = [&](const View& view, int step) {
    if (view.buffer < 0) return;
    int& seen = step_of[view.buffer];
    seen = seen == -1 || seen == step ? step : -2;
  };
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const int step = static_cast<int>(i);
    if (const auto* rows = std::get_if<RowStep>(&program.steps[i])) {
      for (const RowOp& op : rows->ops)
        for (const View& view : {op.in, op.in2, op.out}) note(view, step);
    } else {
      const auto keep = [&](const View& view) { note(view, step), note(view, -3); };
      if (const auto* product = std::get_if<ProductStep>(&program.steps[i])) {
        keep(product->in);
        for (const ProductPart& part : product->parts) keep(part.out);
      } else if (const auto* attend = std::get_if<AttendStep>(&program.steps[i])) {
        keep(attend->q), keep(attend->out);
      }
    }
  }
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const int buffer = static_cast<int>(i);
    if (step_of[i] < 0 || buffer == program.logits || buffer == program.hidden.buffer) continue;
    program.buffers[i].local = true;
    program.buffers[i].offset = program.local_bytes;
    program.local_bytes += program.buffers[i].row_bytes;
  }
}

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
  if (rotated && head_dim > kMostDims)
    return Error{Code::unsupported,
                 "heads of " + std::to_string(head_dim) + " dims in an integer cache",
                 c.weights.source->path(), "use bf16 or f16 keys and values"};
  return asked;
}

}  // namespace

Result<> emit(Lowering& c) {
  c.program.numerics = c.options.numerics;
  c.program.n_vocab = c.graph.nodes[c.graph.logits].shape.width;
  c.program.tuning = c.options.tuning;
  Emitter(c).run();
  TRY(c.program.kv, cache_kind(c));
  make_local(c.program);
  return Ok{};
}

}  // namespace quern::cpu
