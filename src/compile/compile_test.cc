// The results of the compiler's steps on small models, and the models that they refuse.
#include "compile/compile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "compile/compilation.h"
#include "models/family.h"
#include "support/same_graph.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;
using testing::parsed;
using testing::same;
using testing::TinyLlama;

std::map<std::string, std::string> dumps(const TinyLlama& shape,
                                         Numerics numerics = Numerics::fast) {
  std::map<std::string, std::string> found;
  CompileOptions options = {
      .threads = 1, .numerics = numerics, .max_rows = 8, .cache_tokens = 128, .dump = "all"};
  options.dump_out = [&](std::string_view step, std::string_view text) {
    found[std::string(step)] = text;
  };
  const auto executor = compile(make_tiny_llama(shape), options);
  EXPECT_TRUE(executor) << to_string(executor.error());
  return found;
}

TEST(Compile, FusesSiblingsAndResiduals) {
  const Graph fused = parsed(R"(%0 = embed() weight=token_embd.weight n_vocab=96 : tokens x 64
%1 = rms_norm(%0) weight=blk.0.attn_norm.weight epsilon=1e-05 : tokens x 64
%2 = linear(%1) weight=blk.0.attn_q.weight width=64, weight=blk.0.attn_k.weight width=32, weight=blk.0.attn_v.weight width=32 : tokens x 128
%3 = slice(%2) column=0 : tokens x 64
%4 = slice(%2) column=64 : tokens x 32
%5 = slice(%2) column=96 : tokens x 32
%6 = rope(%3) head_dim=16 rotated=16 theta=10000 interleaved=true : tokens x 64
%7 = rope(%4) head_dim=16 rotated=16 theta=10000 interleaved=true : tokens x 32
%8 = attention(%6, %7, %5) layer=0 n_heads=4 n_kv_heads=2 head_dim=16 scale=0.25 : tokens x 64
%9 = linear(%8, %0) weight=blk.0.attn_output.weight width=64 : tokens x 64
%10 = rms_norm(%9) weight=blk.0.ffn_norm.weight epsilon=1e-05 : tokens x 64
%11 = linear(%10) weight=blk.0.ffn_gate.weight width=96, weight=blk.0.ffn_up.weight width=96 : tokens x 192
%12 = slice(%11) column=0 : tokens x 96
%13 = slice(%11) column=96 : tokens x 96
%14 = swiglu(%12, %13) : tokens x 96
%15 = linear(%14, %9) weight=blk.0.ffn_down.weight width=64 : tokens x 64
%16 = pick_used(%15) : used x 64
%17 = rms_norm(%16) weight=output_norm.weight epsilon=1e-05 : used x 64
%18 = linear(%17) weight=output.weight width=96 : used x 96
hidden %17, logits %18
)");
  EXPECT_TRUE(same(parsed(dumps({.n_layers = 1}).at("fuse")), fused));
}

int count(const Graph& graph, Op op) {
  return static_cast<int>(
      std::ranges::count_if(graph.nodes, [&](const Node& node) { return node.op == op; }));
}

TEST(Compile, QuantizesOnceForAllReadersOfAValue) {
  const Graph graph = parsed(dumps({.n_layers = 1, .linears = Dtype::q8_0}).at("choose"));
  EXPECT_EQ(count(graph, Op::quantize), 4);  // before q/k/v, output, gate/up, down; the f32 head
                                             // reads f32
  const Graph exact = parsed(dumps({.linears = Dtype::q8_0}, Numerics::exact).at("choose"));
  EXPECT_EQ(count(exact, Op::quantize), 0);
}

TEST(Compile, PartsThatDoNotFillPanelsStayApart) {
  const Graph graph =
      parsed(dumps({.n_layers = 1, .n_heads = 3, .n_kv_heads = 1, .head_dim = 16}).at("fuse"));
  const Linear alone = {{{"blk.0.attn_q.weight", "", 48}}};
  EXPECT_TRUE(std::ranges::any_of(graph.nodes, [&](const Node& node) {
    return node.attributes == Attributes(alone);
  })) << print(graph);
}

Error refusal(std::shared_ptr<MemorySource> source,
              CompileOptions options = {.threads = 1, .max_rows = 4, .cache_tokens = 64}) {
  auto executor = compile(std::move(source), options);
  EXPECT_FALSE(executor);
  return executor ? Error{} : executor.error();
}

TEST(Compile, NamesWhatIsMissingOrMisshapen) {
  auto other = std::make_shared<MemorySource>("m", "mamba9");
  const auto tiny = make_tiny_llama({});
  for (const auto& [key, value] : tiny->metadata().entries)
    other->metadata().entries["mamba9" + key.substr(std::string("llama").size())] = value;
  other->add("token_embd.weight", Dtype::f32, {4, 64}, std::vector<std::byte>(4 * 64 * 4));
  EXPECT_EQ(refusal(other).code, Code::unsupported);

  auto no_tensors = std::make_shared<MemorySource>("m", "llama");
  no_tensors->metadata() = make_tiny_llama({})->metadata();
  no_tensors->add("token_embd.weight", Dtype::f32, {96, 64}, std::vector<std::byte>(96 * 64 * 4));
  EXPECT_NE(refusal(no_tensors).what.find("blk.0.attn_norm.weight is missing"), std::string::npos);

  auto source = make_tiny_llama({});
  source->metadata().entries["llama.feed_forward_length"] = int64_t{128};
  const Error shape = refusal(source);
  EXPECT_EQ(shape.code, Code::corrupt);
  EXPECT_NE(shape.what.find("blk.0.ffn_gate.weight is 96 x 64, expected 128 x 64"),
            std::string::npos)
      << shape.what;
}

TEST(Compile, RefusesAbsurdConfigurations) {
  for (const auto& [key, value] :
       std::map<std::string, int64_t>{{"llama.attention.head_count", 0},
                                      {"llama.attention.head_count", -4},
                                      {"llama.attention.head_count_kv", 3},
                                      {"llama.block_count", int64_t{1} << 40},
                                      {"llama.rope.dimension_count", 18},
                                      {"llama.attention.key_length", 15}}) {
    auto source = make_tiny_llama({});
    source->metadata().entries[key] = value;
    EXPECT_EQ(refusal(source).code, Code::corrupt) << key << " " << value;
  }
  auto source = make_tiny_llama({});
  source->metadata().entries["llama.rope.scaling.type"] = std::string("yarn");
  EXPECT_EQ(refusal(source).code, Code::unsupported);
}

TEST(Compile, RefusesOptionsWithTheWayOut) {
  const auto refused = [](CompileOptions options) { return refusal(make_tiny_llama({}), options); };
  EXPECT_EQ(refused({.threads = 1, .isa = "vax"}).code, Code::unsupported);
  EXPECT_NE(refused({.threads = 1, .isa = "vax"}).fix.find("scalar"), std::string::npos);
  EXPECT_EQ(refused({.threads = -1}).code, Code::invalid_argument);
  EXPECT_EQ(refused({.threads = 1, .max_rows = 0}).code, Code::invalid_argument);
  EXPECT_EQ(refused({.threads = 1, .cache_tokens = 0}).code, Code::invalid_argument);
  EXPECT_EQ(refused({.threads = 1, .cache_sequences = 0}).code, Code::invalid_argument);
  EXPECT_EQ(refused({.threads = 1, .cache_tokens = 1 << 20, .cache_sequences = 1 << 11}).code,
            Code::invalid_argument);
  EXPECT_NE(refused({.threads = 1, .cache_tokens = INT64_MAX}).fix.find("1073741824 tokens"),
            std::string::npos);
  EXPECT_NE(refused({.threads = 1, .dump = "fus"}).fix.find("fuse"), std::string::npos);
}

TEST(Compile, MakesRoomForTheTokensOfEverySequence) {
  const auto room = [](int64_t tokens, int sequences) {
    const auto executor = compile(
        make_tiny_llama({}),
        {.threads = 1, .max_rows = 4, .cache_tokens = tokens, .cache_sequences = sequences});
    EXPECT_TRUE(executor);
    const int64_t page = (*executor)->page_tokens();
    EXPECT_GE((*executor)->groups()[0].n_pages * page, tokens * sequences);
    EXPECT_LT((*executor)->groups()[0].n_pages * page, (tokens + page) * sequences);
    EXPECT_EQ((*executor)->groups()[0].n_pages % sequences, 0);  // none is shared
    return (*executor)->groups()[0].n_pages;
  };
  EXPECT_EQ(room(1, 1), 1);
  EXPECT_EQ(room(1, 5), 5);
  EXPECT_GT(room(1000, 3), room(900, 3));
}

TEST(Compile, TakesTheConfigurationThatItIsGiven) {
  const auto source = make_tiny_llama({});
  const auto logits = [&](const Config& config) {
    const auto executor = compile(source, config, {.threads = 1, .max_rows = 4});
    EXPECT_TRUE(executor);
    const std::vector<int32_t> tokens{1, 7}, pages{0}, used{1};
    const std::vector<Chunk> chunks{{0, 2, 0, pages, 1}};
    std::vector<float> out((*executor)->n_vocab());
    EXPECT_TRUE((*executor)->forward({tokens, chunks, used}, out));
    return out;
  };
  auto config = read_config(*source);
  ASSERT_TRUE(config);
  const auto as_read = logits(*config);
  EXPECT_EQ(logits(*config), as_read);
  config->epsilon *= 1000;
  EXPECT_NE(logits(*config), as_read);
}

}  // namespace
}  // namespace quern
