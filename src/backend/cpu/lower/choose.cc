// How each product is computed, from its weights' formats and the wanted numerics; and the
// quantized rows that the integer ones read: one quantize per value, shared by its readers.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "backend/cpu/lower/lowering.h"
#include "base/enum_table.h"

namespace quern::cpu {
namespace {

// Of products whose results later rows read from the cache, of other products on prompt rows, and
// of rows that are used. Keys and values carry most of a prompt's error into what is generated.
struct FormsByUse {
  Numerics of;
  RowForm prompt, cached, used;
};
constexpr FormsByUse kForms[] = {
    {Numerics::exact, RowForm::none, RowForm::none, RowForm::none},
    {Numerics::fine, RowForm::int8_residual, RowForm::int8_residual, RowForm::int8_residual},
    {Numerics::automatic, RowForm::int8, RowForm::int8_residual, RowForm::int8_residual},
    {Numerics::fast, RowForm::int8, RowForm::int8, RowForm::int8},
};
static_assert(has_row_for_each(kForms));

// Columns of a product that become keys or values.
struct Cached {
  NodeId product;
  int column;
};

std::vector<Cached> find_cached(const Graph& graph) {
  std::vector<Cached> found;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::attention) continue;
    for (const NodeId input : {node.inputs[1], node.inputs[2]}) {
      Cached at = {input, 0};
      while (graph.nodes[at.product].op != Op::linear && !graph.nodes[at.product].inputs.empty()) {
        const Node& from = graph.nodes[at.product];
        if (from.op == Op::slice) at.column += std::get<Slice>(from.attributes).column;
        at.product = from.inputs[0];
      }
      found.push_back(at);
    }
  }
  return found;
}

// Where the processor has tiles, bf16 takes the place of one term on prompt rows: faster, and
// closer to exact.
// What the model itself has rounded to int8 is read as it is: that is what its weights were trained
// with.
FormsByUse forms_by_use(Numerics numerics, bool tiles, Op input) {
  FormsByUse forms = row_of(kForms, numerics);
  const bool by_tiles = tiles && forms.prompt == RowForm::int8;
  if (input == Op::round_int8) {
    const RowForm prompt = by_tiles ? RowForm::int8_for_tiles : RowForm::int8_already;
    return {numerics, prompt, prompt, RowForm::int8_already};
  }
  if (by_tiles) forms.prompt = forms.cached = RowForm::rounded;
  return forms;
}

// Of each part of a quantized product.
std::vector<RowForms> forms_of_parts(const Node& node, NodeId id, const FormsByUse& forms,
                                     const std::vector<Cached>& cached) {
  std::vector<RowForms> parts;
  int column = 0;
  for (const LinearPart& part : std::get<Linear>(node.attributes).parts) {
    const bool is_cached = std::ranges::any_of(cached, [&](const Cached& c) {
      return c.product == id && c.column >= column && c.column < column + part.width;
    });
    parts.push_back({{is_cached ? forms.cached : forms.prompt, forms.used}});
    column += part.width;
  }
  return parts;
}

void widen(RowForms& all, const std::vector<RowForms>& parts) {
  for (const RowForms& part : parts)
    for (int role = 0; role < kRoles; ++role) all.of[role] = std::max(all.of[role], part.of[role]);
}

ProductKind product_kind(const Lowering& c, const std::string& weight) {
  if (c.options.numerics == Numerics::exact) return ProductKind::exact;
  return c.weights.matrices.at(weight).format->integer.group > 0 ? ProductKind::quantized
                                                                 : ProductKind::floating;
}

}  // namespace

Result<> choose(Lowering& c) {
  Graph out;
  std::vector<NodeId> moved(c.graph.nodes.size());
  std::unordered_map<NodeId, NodeId> quantized;  // of nodes of the new graph
  const std::vector<Cached> cached = find_cached(c.graph);
  c.products.clear();
  c.forms.clear();
  const auto place = [&](ProductKind kind, std::vector<RowForms> forms) {
    c.products.push_back(kind);
    c.forms.push_back(std::move(forms));
  };
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    Node node = std::move(c.graph.nodes[i]);
    for (NodeId& input : node.inputs) input = moved[input];
    auto kind = ProductKind::exact;
    std::vector<RowForms> forms;
    if (node.op == Op::linear) {
      kind = product_kind(c, std::get<Linear>(node.attributes).parts[0].weight);
      if (kind == ProductKind::quantized) {
        const FormsByUse by_use = forms_by_use(c.options.numerics, c.kernels.bf16_linear != nullptr,
                                               out.nodes[node.inputs[0]].op);
        forms = forms_of_parts(node, static_cast<NodeId>(i), by_use, cached);
        const auto [at, is_new] = quantized.try_emplace(node.inputs[0], -1);
        if (is_new) {
          at->second = append(out, Op::quantize, {node.inputs[0]}, {});
          place(ProductKind::exact, {RowForms{}});
        }
        widen(c.forms[at->second][0], forms);
        node.inputs[0] = at->second;
      }
    }
    out.nodes.push_back(std::move(node));
    place(kind, std::move(forms));
    moved[i] = static_cast<NodeId>(out.nodes.size() - 1);
  }
  out.hidden = moved[c.graph.hidden];
  out.logits = moved[c.graph.logits];
  c.graph = std::move(out);
  return Ok{};
}

}  // namespace quern::cpu
