// Fewer, larger steps: products of one input side by side (q/k/v, gate/up), and the residual added
// where the product is stored. Both are exact: every output element is computed as before.
#include <utility>

#include "compile/compilation.h"

namespace quern {

namespace {

// Products that may be one are computed alike: from integers, or not. Exact numerics decode all.
bool computed_alike(const Compilation& c, const Node& a, const Node& b) {
  const auto has_integers = [&](const Node& node) {
    return c.weights.matrices.at(std::get<Linear>(node.attributes).parts[0].weight)
               .format->integer.group > 0;
  };
  return c.options.numerics == Numerics::exact || has_integers(a) == has_integers(b);
}

const LinearPart& first_part(const Node& node) {
  return std::get<Linear>(node.attributes).parts[0];
}

// Later linears that read what node i reads and are computed the same way. All but the last have
// as many outputs as the target wants, so that the next one starts where it can be read.
std::vector<NodeId> siblings(const Compilation& c,
                             const std::vector<std::vector<NodeId>>& all_users, NodeId i) {
  const Node& node = c.graph.nodes[i];
  std::vector<NodeId> found;
  for (NodeId other : all_users[node.inputs[0]]) {
    const Node& candidate = c.graph.nodes[other];
    if (other <= i || candidate.op != Op::linear || candidate.inputs.size() != 1) continue;
    if (!computed_alike(c, candidate, node)) continue;
    const NodeId last = found.empty() ? i : found.back();
    if (c.graph.nodes[last].shape.width % c.target.side_by_side() != 0) break;
    found.push_back(other);
  }
  return found;
}

// Rebuilds the graph with sibling linears joined; each old value becomes a slice of the joint one.
void join_siblings(Compilation& c) {
  const Graph old = std::move(c.graph);
  c.graph = old;
  const auto all_users = users(old);
  Graph out;
  std::vector<NodeId> moved(old.nodes.size(), -1);
  for (size_t i = 0; i < old.nodes.size(); ++i) {
    if (moved[i] >= 0) continue;  // joined to an earlier one
    Node node = old.nodes[i];
    for (NodeId& input : node.inputs) input = moved[input];
    std::vector<NodeId> group = {static_cast<NodeId>(i)};
    if (node.op == Op::linear && node.inputs.size() == 1) {
      const auto more = siblings(c, all_users, group[0]);
      group.insert(group.end(), more.begin(), more.end());
    }
    if (group.size() == 1) {
      out.nodes.push_back(std::move(node));
      moved[i] = static_cast<NodeId>(out.nodes.size() - 1);
      continue;
    }
    Linear joint;
    for (NodeId member : group) joint.parts.push_back(first_part(old.nodes[member]));
    const NodeId product = append(out, Op::linear, node.inputs, std::move(joint));
    int column = 0;
    for (NodeId member : group) {
      const Shape& shape = old.nodes[member].shape;
      out.nodes.push_back({Op::slice, {product}, shape, Slice{column}});
      moved[member] = static_cast<NodeId>(out.nodes.size() - 1);
      column += shape.width;
    }
  }
  out.hidden = moved[old.hidden];
  out.logits = moved[old.logits];
  c.graph = std::move(out);
}

// add(x, linear(y)) becomes linear(y, x) where nobody else reads the product.
void fold_residuals(Compilation& c) {
  const auto all_users = users(c.graph);
  Graph out;
  std::vector<NodeId> moved(c.graph.nodes.size(), -1);
  for (size_t i = 0; i < c.graph.nodes.size(); ++i) {
    Node node = c.graph.nodes[i];
    const bool absorbed = node.op == Op::linear && node.inputs.size() == 1 &&
                          all_users[i].size() == 1 && static_cast<NodeId>(i) != c.graph.hidden &&
                          c.graph.nodes[all_users[i][0]].op == Op::add &&
                          c.graph.nodes[all_users[i][0]].inputs[1] == static_cast<NodeId>(i);
    if (absorbed) continue;  // emitted with its add
    if (node.op == Op::add && moved[node.inputs[1]] < 0) {
      Node product = c.graph.nodes[node.inputs[1]];
      product.inputs = {moved[product.inputs[0]], moved[node.inputs[0]]};
      node = std::move(product);
    } else {
      for (NodeId& input : node.inputs) input = moved[input];
    }
    out.nodes.push_back(std::move(node));
    moved[i] = static_cast<NodeId>(out.nodes.size() - 1);
  }
  out.hidden = moved[c.graph.hidden];
  out.logits = moved[c.graph.logits];
  c.graph = std::move(out);
}

}  // namespace

Result<> fuse(Compilation& c) {
  join_siblings(c);
  fold_residuals(c);
  return Ok{};
}

}  // namespace quern
