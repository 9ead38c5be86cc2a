// Graphs compared by what they compute, not by their text:
//   EXPECT_TRUE(same(graph, parsed("%0 = embed() ...")));
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace quern::testing {

// The graph of a text in a test, which must be one.
inline Graph parsed(std::string_view text) {
  auto graph = parse(text);
  if (graph) return *std::move(graph);
  ADD_FAILURE() << to_string(graph.error());
  return {};
}

class GraphComparison {
 public:
  GraphComparison(const Graph& a, const Graph& b)
      : a_(a), b_(b), in_b_(a.nodes.size(), -1), in_a_(b.nodes.size(), -1) {}

  ::testing::AssertionResult run() {
    for (const auto& [graph, name] : {std::pair(&a_, "first"), std::pair(&b_, "second")})
      if (const auto valid = verify(*graph); !valid)
        return ::testing::AssertionFailure()
               << "the " << name << " graph: " << to_string(valid.error());
    if (!match(a_.logits, b_.logits) || !match(a_.hidden, b_.hidden))
      return ::testing::AssertionFailure() << difference_;
    const auto idle_a = std::ranges::count(in_b_, -1), idle_b = std::ranges::count(in_a_, -1);
    if (idle_a != idle_b)
      return ::testing::AssertionFailure() << "of the first graph " << idle_a
                                           << " nodes are for nothing, of the second " << idle_b;
    return ::testing::AssertionSuccess();
  }

 private:
  // Inputs first: the difference that is told is the earliest in the order of computation.
  bool match(NodeId i, NodeId j) {
    if (in_b_[i] == j && in_a_[j] == i) return true;
    const Node &x = a_.nodes[i], &y = b_.nodes[j];
    const bool alike = x.op == y.op && x.shape == y.shape && x.attributes == y.attributes &&
                       x.inputs.size() == y.inputs.size();
    if (!alike) return differ("differ", i, j);
    for (size_t k = 0; k < x.inputs.size(); ++k)
      if (!match(x.inputs[k], y.inputs[k])) return false;
    if (in_b_[i] != -1 || in_a_[j] != -1) return differ("are not used at the same places", i, j);
    in_b_[i] = j;
    in_a_[j] = i;
    return true;
  }

  bool differ(const char* how, NodeId i, NodeId j) {
    difference_ = std::string("these nodes ") + how + ":\n" + line(a_, i) + "\n" + line(b_, j);
    return false;
  }

  static std::string line(const Graph& graph, NodeId id) {
    std::istringstream lines(print(graph));
    std::string text;
    for (NodeId i = 0; i <= id; ++i) std::getline(lines, text);
    return text;
  }

  const Graph &a_, &b_;
  std::vector<NodeId> in_b_, in_a_;  // which node of the other graph a node is; -1: none yet
  std::string difference_;
};

// Whether both graphs compute the same from the same weights, whatever the numbers of their nodes.
// A failure shows the first nodes that differ.
inline ::testing::AssertionResult same(const Graph& a, const Graph& b) {
  return GraphComparison(a, b).run();
}

}  // namespace quern::testing
