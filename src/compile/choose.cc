// How each product is computed, from its weights' formats and the wanted numerics; and the
// quantized rows that the integer ones read: one quantize per value, shared by its readers.
#include <unordered_map>
#include <utility>

#include "compile/compilation.h"

namespace quern {

cpu::ProductKind product_kind(const Compilation& c, const std::string& weight) {
  if (c.options.numerics == Numerics::exact) return cpu::ProductKind::exact;
  return c.weights.at(weight).format->integer.group > 0 ? cpu::ProductKind::quantized
                                                        : cpu::ProductKind::floating;
}

Result<> choose(Compilation& c) {
  Graph out;
  std::vector<NodeId> moved(c.graph.nodes.size());
  std::unordered_map<NodeId, NodeId> quantized;  // of nodes of the new graph
  c.products.clear();
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    Node node = std::move(c.graph.nodes[i]);
    for (NodeId& input : node.inputs) input = moved[input];
    auto kind = cpu::ProductKind::exact;
    if (node.op == Op::linear) {
      kind = product_kind(c, std::get<Linear>(node.attributes).parts[0].weight);
      if (kind == cpu::ProductKind::quantized) {
        const auto [at, is_new] = quantized.try_emplace(node.inputs[0], -1);
        if (is_new) {
          at->second = append(out, Op::quantize, {node.inputs[0]}, {});
          c.products.push_back(cpu::ProductKind::exact);
        }
        node.inputs[0] = at->second;
      }
    }
    out.nodes.push_back(std::move(node));
    c.products.push_back(kind);
    moved[i] = static_cast<NodeId>(out.nodes.size() - 1);
  }
  out.logits = moved[c.graph.logits];
  c.graph = std::move(out);
  return Ok{};
}

}  // namespace quern
