// Graphs as text: print, parse and the comparison that tests of passes use.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "support/emulated.h"
#include "support/same_graph.h"

namespace quern {
namespace {

using testing::parsed;
using testing::same;

// Every op, with attributes that are usual and unusual.
constexpr std::string_view kEveryOp =
    "%0 = embed() weight=token_embd.weight n_vocab=100 : tokens x 64\n"
    "%1 = rms_norm(%0) weight=norm.weight epsilon=1e-05 : tokens x 64\n"
    "%2 = linear(%1) weight=q.weight width=64, weight=k.weight bias=k.bias width=32, "
    "weight=v.weight width=32 : tokens x 128\n"
    "%3 = slice(%2) column=0 : tokens x 64\n"
    "%4 = slice(%2) column=64 : tokens x 32\n"
    "%5 = slice(%2) column=96 : tokens x 32\n"
    "%6 = rope(%3) head_dim=16 rotated=16 theta=10000 : tokens x 64\n"
    "%7 = rope(%4) head_dim=16 rotated=8 theta=500000.16 scale=0.1 interleaved=true "
    "factors=rope_freqs.weight : tokens x 32\n"
    "%8 = attention(%6, %7, %5) layer=3 n_heads=4 n_kv_heads=2 head_dim=16 window=1024 "
    "scale=0.17677669529663687 softcap=50 : tokens x 64\n"
    "%9 = attention(%6, %7, %5) layer=4 n_heads=4 n_kv_heads=2 head_dim=16 scale=0.25 "
    ": tokens x 64\n"
    "%10 = add(%8, %9) : tokens x 64\n"
    "%11 = quantize(%10) : tokens x 64 int8\n"
    "%12 = linear(%11, %0) weight=o.weight width=64 : tokens x 64\n"
    "%13 = swiglu(%12, %1) : tokens x 64\n"
    "%14 = relu2glu(%13, %12) : tokens x 64\n"
    "%15 = scale(%14) weight=\"a name, \\x22quoted\\x22\\x0a\" : tokens x 64\n"
    "%16 = round_int8(%15) : tokens x 64\n"
    "%17 = pick_used(%16) : used x 64\n"
    "%18 = linear(%17) weight=output.weight width=100 : used x 100\n"
    "hidden %17, logits %18\n";

TEST(GraphText, IsReadBackAsItWasWritten) {
  const Graph graph = parsed(kEveryOp);
  EXPECT_EQ(print(graph), kEveryOp);
  std::set<Op> seen;
  for (const Node& node : graph.nodes) seen.insert(node.op);
  EXPECT_EQ(seen.size(), static_cast<size_t>(Op::count));
  const auto& rope = std::get<Rope>(graph.nodes[7].attributes);
  EXPECT_EQ(rope, (Rope{16, 8, 500000.16f, 0.1f, true, "rope_freqs.weight"}));
  EXPECT_EQ(std::get<Rope>(graph.nodes[6].attributes), (Rope{16, 16, 10000.0f, 1, false, ""}));
  const auto& attention = std::get<Attention>(graph.nodes[8].attributes);
  EXPECT_EQ(attention, (Attention{3, 4, 2, 16, 1024, 0.17677669529663687, 50}));
  EXPECT_EQ(std::get<Scale>(graph.nodes[15].attributes).weight, "a name, \"quoted\"\n");
  EXPECT_EQ(graph.nodes[11].shape, (Shape{Rows::tokens, 64, Element::int8}));
}

Graph with(float epsilon, const std::string& weight) {
  Graph g;
  g.nodes.push_back({Op::embed, {}, {Rows::tokens, 8}, Embed{weight, 2}});
  const NodeId used = append(g, Op::pick_used, {0}, {});
  g.hidden = append(g, Op::rms_norm, {used}, Norm{weight, epsilon});
  g.logits = append(g, Op::linear, {g.hidden}, Linear{{{weight, "", 2}}});
  return g;
}

TEST(GraphText, NumbersAndNamesAreExact) {
  using Limits = std::numeric_limits<float>;
  const float numbers[] = {0.0f,
                           -0.0f,
                           1.0f / 3,
                           1e-5f,
                           9.9999994e-6f,
                           16777217.0f,
                           Limits::max(),
                           Limits::min(),
                           1e-45f,
                           Limits::lowest(),
                           Limits::infinity()};
  for (const float number : numbers) {
    const Graph graph = with(number, "w");
    const auto back = std::get<Norm>(parsed(print(graph)).nodes[2].attributes).epsilon;
    EXPECT_EQ(back, number);
    EXPECT_EQ(std::signbit(back), std::signbit(number));
  }
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
  for (const std::string& name :
       {std::string(), std::string(" "), std::string("\\x41"), every_byte})
    EXPECT_TRUE(same(with(1, name), parsed(print(with(1, name))))) << name;
}

TEST(GraphText, ANegativeZeroIsNotLeftOut) {
  Graph graph = parsed(kEveryOp);
  std::get<Attention>(graph.nodes[9].attributes).softcap = -0.0f;
  const Graph back = parsed(print(graph));
  EXPECT_TRUE(std::signbit(std::get<Attention>(back.nodes[9].attributes).softcap));
}

std::string refusal(std::string_view text) {
  const auto graph = parse(text);
  if (graph) return "it was read:\n" + print(*graph);
  EXPECT_EQ(graph.error().code, Code::invalid_argument);
  return to_string(graph.error());
}

// kEveryOp with `old` replaced at its first place.
std::string changed(std::string_view old, std::string_view by) {
  std::string text(kEveryOp);
  const size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return text.replace(at, old.size(), by);
}

TEST(GraphText, ErrorsSayWhereAndWhatWasExpected) {
  struct Row {
    const char *old, *by, *says;
  };
  const Row rows[] = {
      {"%1 =", "%2 =", "expected '%1 =' or 'hidden', found '%2' (graph, line 2, column 1)"},
      {"rms_norm(", "rms(", "expected an op (embed, linear, "},
      {"embed()", "embed", "expected '(', found 'weight=token_embd.weight' (graph, line 1, column"},
      {"(%0)", "(0)", "expected '%', found '0)' (graph, line 2, column 15)"},
      {"(%0)", "(%)", "expected a whole number of 32 bits, found ')'"},
      {"(%0)", "(%99999999999)", "expected a whole number of 32 bits"},
      {"(%0)", "(%0,)", "expected '%', found ')'"},
      {"(%0)", "(%0", "expected ')', found 'weight=norm.weight'"},
      {"(%0)", "(%7)", "does not precede it"},
      {"(%0)", "(%-1)", "does not precede it"},
      {"(%0)", "(%0, %0)", "rms_norm with 2 inputs"},
      {" n_vocab=100", "", "expected 'n_vocab=', found ':'"},
      {"n_vocab=100", "n_vocab=many", "expected a whole number of 32 bits, found 'many'"},
      {"epsilon=1e-05", "epsilon=", "expected a value behind '=', found ':'"},
      {"epsilon=1e-05", "epsilon=e5", "expected a number, found 'e5'"},
      {"epsilon=1e-05", "epsilon=1e-05 zeta=1", "expected ':', found 'zeta=1'"},
      {"weight=norm.weight", "weight=", "expected a value behind '=', found 'epsilon=1e-05'"},
      {"weight=norm.weight", "weight=,", "expected a name, found ','"},
      {"weight=norm.weight", "weight=\"norm", "expected '\"', found the end of the line"},
      {"\\x22", "\\y22", "expected \\x and two hexadecimal digits"},
      {"\\x22", "\\xG2", "expected \\x and two hexadecimal digits"},
      {"width=64,", "width=64", "expected ':', found 'weight=k.weight'"},
      {"width=64,", "width=-64,", "q.weight has width -64"},
      {"width=64,", "width=2147483647,", "linear: width 2147483711"},
      {"interleaved=true", "interleaved=yes", "expected true or false, found 'yes'"},
      {"rotated=8", "rotated=7", "turns 7 of 16 dims"},
      {"head_dim=16 rotated=8", "head_dim=0 rotated=8", "turns 8 of 0 dims"},
      {"n_heads=4", "n_heads=-4", "-4 heads over 2 kv heads"},
      {"head_dim=16 window", "head_dim=-16 window", "heads of -16"},
      {"n_heads=4 n_kv_heads=2", "n_heads=2147483646 n_kv_heads=2", "q tokens x 64"},
      {"column=64", "column=2147483647", "columns past tokens x 128"},
      {": tokens", ": all", "expected tokens or used, found 'all'"},
      {": tokens x 64", ": tokens 64", "expected 'x', found '64'"},
      {": tokens x 64", ": tokens x",
       "expected a whole number of 32 bits, found the end of the line"},
      {": tokens x 64", ": tokens x 64 int4", "expected int8, f64 or the end of the line"},
      {": tokens x 64", ": tokens x 64 f64", "has not the shape its rule gives"},
      {"hidden %17", "hidden 17", "expected '%', found '17,'"},
      {"hidden %17", "hidden %170", "hidden is no node"},
      {", logits", " logits", "expected ',', found 'logits' (graph, line 20, column 12)"},
      {"logits %18\n", "logits %18\nmore", "expected the end of the graph, found 'more'"},
      {"logits %18\n", "", "expected 'logits', found the end"},
  };
  for (const Row& row : rows) {
    const std::string said = refusal(changed(row.old, row.by));
    EXPECT_NE(said.find(row.says), std::string::npos) << row.by << ": " << said;
  }
  EXPECT_EQ(refusal(""), "expected '%0 =' or 'hidden', found the end (graph, line 1, column 1)");
}

// Whatever a text is, it is refused or read as a valid graph that can be written again.
TEST(GraphText, AnyTextIsRefusedOrRead) {
  const std::string whole(kEveryOp);
  size_t n_read = 0;
  const auto look = [&](const std::string& text) {
    const auto graph = parse(text);
    if (!graph) return;
    ++n_read;
    EXPECT_TRUE(verify(*graph));
    EXPECT_EQ(print(parsed(print(*graph))), print(*graph)) << text;
  };
  const size_t step = runs_emulated() ? 31 : 3;
  for (size_t i = 0; i < whole.size(); i += step) {
    if (i + 1 < whole.size()) {  // the last line may lack its end
      EXPECT_FALSE(parse(whole.substr(0, i))) << i;
    }
    look(whole.substr(0, i) + whole.substr(i + 1));
    for (const char c : std::string_view("0-%(\"\\\n\0 ,x", 11)) {
      std::string text = whole;
      text[i] = c;
      look(text);
    }
  }
  EXPECT_GT(n_read, 1000u / step);  // other names and numbers
}

TEST(SameGraph, NumbersOfNodesDoNotCount) {
  const Graph a = parsed(
      "%0 = embed() weight=e n_vocab=4 : tokens x 8\n"
      "%1 = linear(%0) weight=a width=8 : tokens x 8\n"
      "%2 = linear(%0) weight=b width=8 : tokens x 8\n"
      "%3 = swiglu(%1, %2) : tokens x 8\n"
      "%4 = pick_used(%3) : used x 8\n"
      "%5 = linear(%4) weight=o width=4 : used x 4\n"
      "hidden %4, logits %5\n");
  Graph b = a;
  std::swap(b.nodes[1], b.nodes[2]);
  EXPECT_FALSE(same(a, b));
  b.nodes[3].inputs = {2, 1};
  EXPECT_TRUE(same(a, b));
  EXPECT_NE(print(a), print(b));
}

TEST(SameGraph, SaysWhichNodesDiffer) {
  const Graph a = parsed(kEveryOp);
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"epsilon=1e-05", "epsilon=9.999999e-06"},
      {"n_vocab=100", "n_vocab=101"},
      {" bias=k.bias", ""},
      {"interleaved=true ", ""},
      {"window=1024", "window=1023"},
      {"scale=0.25", "scale=0.25000000000000006"},
      {"layer=4", "layer=5"},
      {"column=64", "column=63"},
      {"add(%8, %9)", "add(%9, %8)"},
      {"swiglu(%12, %1)", "swiglu(%12, %0)"},
      {"relu2glu", "swiglu"}};
  for (const auto& [old, by] : changes) {
    const auto compared = same(a, parsed(changed(old, by)));
    EXPECT_FALSE(compared) << by;
    EXPECT_NE(std::string(compared.message()).find("these nodes differ:\n%"), std::string::npos)
        << compared.message();
  }
  EXPECT_TRUE(same(a, parsed(kEveryOp)));
}

TEST(SameGraph, SharedWorkIsNotWorkDoneTwice) {
  constexpr const char* kOnce =
      "%0 = embed() weight=e n_vocab=4 : tokens x 8\n"
      "%1 = rms_norm(%0) weight=n epsilon=1 : tokens x 8\n"
      "%2 = add(%1, %1) : tokens x 8\n"
      "%3 = pick_used(%2) : used x 8\n"
      "%4 = linear(%3) weight=o width=4 : used x 4\n"
      "hidden %3, logits %4\n";
  constexpr const char* kTwice =
      "%0 = embed() weight=e n_vocab=4 : tokens x 8\n"
      "%1 = rms_norm(%0) weight=n epsilon=1 : tokens x 8\n"
      "%2 = rms_norm(%0) weight=n epsilon=1 : tokens x 8\n"
      "%3 = add(%1, %2) : tokens x 8\n"
      "%4 = pick_used(%3) : used x 8\n"
      "%5 = linear(%4) weight=o width=4 : used x 4\n"
      "hidden %4, logits %5\n";
  EXPECT_FALSE(same(parsed(kOnce), parsed(kTwice)));
  EXPECT_FALSE(same(parsed(kTwice), parsed(kOnce)));
  Graph idle = parsed(kOnce);
  append(idle, Op::add, {0, 0}, {});
  EXPECT_FALSE(same(idle, parsed(kOnce)));
}

}  // namespace
}  // namespace quern
