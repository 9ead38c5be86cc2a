#include "graph/graph.h"

#include <string>
#include <utility>

namespace quern {
namespace {

Error broken(size_t node, const std::string& what) {
  return Error{Code::invalid_argument, what, "graph node %" + std::to_string(node), ""};
}

Result<> verify_node(const Graph& graph, size_t i) {
  const Node& node = graph.nodes[i];
  const OpInfo& op = info(node.op);
  const int n_inputs = static_cast<int>(node.inputs.size());
  if (n_inputs < op.min_inputs || n_inputs > op.max_inputs)
    return broken(i, std::string(op.name) + " with " + std::to_string(n_inputs) + " inputs");
  for (NodeId input : node.inputs)
    if (input < 0 || static_cast<size_t>(input) >= i)
      return broken(i, "input %" + std::to_string(input) + " does not precede it");
  if (static_cast<int>(node.attributes.index()) != op.attributes)
    return broken(i, std::string(op.name) + " carries another op's attributes");
  TRY(const Shape shape, op.shape(graph, node));
  if (!(shape == node.shape))
    return broken(i, std::string(op.name) + " has not the shape its rule gives");
  return Ok{};
}

Result<> verify_result(const Graph& graph, NodeId id, const std::string& name) {
  if (id < 0 || static_cast<size_t>(id) >= graph.nodes.size())
    return broken(graph.nodes.size(), name + " is no node");
  const Shape& shape = graph.nodes[id].shape;
  if (shape.rows != Rows::used || shape.element != Element::f32)
    return broken(id, name + " is wanted in f32, of used rows only");
  return Ok{};
}

}  // namespace

NodeId append(Graph& graph, Op op, std::vector<NodeId> inputs, Attributes attributes) {
  Node node = {op, std::move(inputs), {}, std::move(attributes)};
  for (NodeId input : node.inputs)
    CHECK(input >= 0 && static_cast<size_t>(input) < graph.nodes.size(),
          "a node's inputs precede it");
  CHECK(op != Op::embed && op != Op::slice,
        "embed and slice state their width: fill the node by hand");
  auto shape = info(op).shape(graph, node);
  CHECK(shape, to_string(shape.error()).c_str());
  node.shape = *shape;
  graph.nodes.push_back(std::move(node));
  return static_cast<NodeId>(graph.nodes.size() - 1);
}

std::vector<std::vector<NodeId>> users(const Graph& graph) {
  std::vector<std::vector<NodeId>> found(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const NodeId input : graph.nodes[i].inputs) found[input].push_back(static_cast<NodeId>(i));
  return found;
}

Result<> verify(const Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) TRY_OK(verify_node(graph, i));
  TRY_OK(verify_result(graph, graph.hidden, "hidden"));
  TRY_OK(verify_result(graph, graph.logits, "logits"));
  if (graph.hidden >= graph.logits)
    return broken(graph.hidden, "hidden does not precede the logits");
  return Ok{};
}

}  // namespace quern
