#include "graph/graph.h"

#include <gtest/gtest.h>

#include <utility>

namespace quern {
namespace {

Graph two_layers() {
  Graph g;
  g.nodes.push_back({Op::embed, {}, {Rows::tokens, 64}, Embed{"token_embd.weight", 100}});
  const NodeId norm = append(g, Op::rms_norm, {0}, Norm{"norm.weight", 1e-5f});
  const NodeId up = append(g, Op::linear, {norm}, Linear{{{"up.weight", "", 96}}});
  const NodeId down = append(g, Op::linear, {up}, Linear{{{"down.weight", "down.bias", 64}}});
  const NodeId x = append(g, Op::add, {0, down}, {});
  const NodeId used = append(g, Op::pick_used, {x}, {});
  g.hidden = append(g, Op::rms_norm, {used}, Norm{"output_norm.weight", 1e-5f});
  g.logits = append(g, Op::linear, {g.hidden}, Linear{{{"output.weight", "", 100}}});
  return g;
}

TEST(Graph, ShapesFollowTheRules) {
  const Graph g = two_layers();
  EXPECT_TRUE(verify(g));
  EXPECT_EQ(g.nodes[2].shape, (Shape{Rows::tokens, 96}));
  EXPECT_EQ(g.nodes[g.logits].shape, (Shape{Rows::used, 100}));
}

TEST(Graph, PrintsOneLineANode) {
  EXPECT_EQ(print(two_layers()),
            "%0 = embed() weight=token_embd.weight n_vocab=100 : tokens x 64\n"
            "%1 = rms_norm(%0) weight=norm.weight epsilon=1e-05 : tokens x 64\n"
            "%2 = linear(%1) weight=up.weight width=96 : tokens x 96\n"
            "%3 = linear(%2) weight=down.weight bias=down.bias width=64 : tokens x 64\n"
            "%4 = add(%0, %3) : tokens x 64\n"
            "%5 = pick_used(%4) : used x 64\n"
            "%6 = rms_norm(%5) weight=output_norm.weight epsilon=1e-05 : used x 64\n"
            "%7 = linear(%6) weight=output.weight width=100 : used x 100\n"
            "hidden %6, logits %7\n");
}

TEST(Graph, VerifierFindsWhatPassesCouldBreak) {
  Graph g = two_layers();
  g.nodes[2].inputs = {3};  // a user before its input
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.nodes[2].shape.width = 97;
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.nodes[4].inputs = {0, 2};  // 64 + 96 columns
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.nodes[1].attributes = {};
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.nodes[4].inputs = {0};
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.logits = 4;  // of every row
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.hidden = 4;
  EXPECT_FALSE(verify(g));
  g = two_layers();
  g.hidden = -1;
  EXPECT_FALSE(verify(g));
  g = two_layers();
  std::swap(g.hidden, g.logits);
  EXPECT_FALSE(verify(g));
}

TEST(Graph, FlopsOfALinearAreTwoPerWeight) {
  const Graph g = two_layers();
  EXPECT_EQ(info(Op::linear).flops(g, g.nodes[2]), 2.0 * 64 * 96);
}

TEST(Graph, AttentionMakesNoWidthBeyondANumber) {
  constexpr int kValue = 1 << 30;
  Graph graph;
  for (const int width : {64, 1, kValue})
    graph.nodes.push_back({Op::embed, {}, {Rows::tokens, width}, Embed{"w", 10}});
  Node node = {Op::attention,
               {0, 1, 2},
               {},
               Attention{.n_heads = 64, .n_kv_heads = 1, .head_dim = 1, .value_dim = kValue}};
  const auto shape = info(Op::attention).shape(graph, node);
  ASSERT_FALSE(shape);
  EXPECT_NE(shape.error().what.find("width 68719476736"), std::string::npos);
  std::get<Attention>(node.attributes).n_heads = 1;
  graph.nodes[0].shape.width = 1;
  EXPECT_EQ(info(Op::attention).shape(graph, node)->width, kValue);
}

}  // namespace
}  // namespace quern
