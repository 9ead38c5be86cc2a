// What the compiler's steps make of small models, and that they refuse what cannot run.
#include "compile/compile.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "compile/compilation.h"
#include "models/family.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;
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
  const std::string graph = dumps({.n_layers = 1}).at("fuse");
  EXPECT_EQ(
      graph,
      "%0 = embed() token_embd.weight : tokens x 64\n"
      "%1 = rms_norm(%0) blk.0.attn_norm.weight epsilon 1e-05 : tokens x 64\n"
      "%2 = linear(%1) blk.0.attn_q.weight blk.0.attn_k.weight blk.0.attn_v.weight : tokens x 128\n"
      "%3 = slice(%2) from column 0 : tokens x 64\n"
      "%4 = slice(%2) from column 64 : tokens x 32\n"
      "%5 = slice(%2) from column 96 : tokens x 32\n"
      "%6 = rope(%3) 16 of 16, theta 10000, adjacent pairs : tokens x 64\n"
      "%7 = rope(%4) 16 of 16, theta 10000, adjacent pairs : tokens x 32\n"
      "%8 = attention(%6, %7, %5) layer 0, 4/2 heads of 16 : tokens x 64\n"
      "%9 = linear(%8, %0) blk.0.attn_output.weight : tokens x 64\n"
      "%10 = rms_norm(%9) blk.0.ffn_norm.weight epsilon 1e-05 : tokens x 64\n"
      "%11 = linear(%10) blk.0.ffn_gate.weight blk.0.ffn_up.weight : tokens x 192\n"
      "%12 = slice(%11) from column 0 : tokens x 96\n"
      "%13 = slice(%11) from column 96 : tokens x 96\n"
      "%14 = swiglu(%12, %13) : tokens x 96\n"
      "%15 = linear(%14, %9) blk.0.ffn_down.weight : tokens x 64\n"
      "%16 = pick_used(%15) : used x 64\n"
      "%17 = rms_norm(%16) output_norm.weight epsilon 1e-05 : used x 64\n"
      "%18 = linear(%17) output.weight : used x 96\n"
      "hidden %17, logits %18\n");
}

TEST(Compile, QuantizesOnceForAllReadersOfAValue) {
  const std::string graph = dumps({.n_layers = 1, .linears = Dtype::q8_0}).at("choose");
  size_t n = 0;
  for (size_t at = graph.find("quantize("); at != std::string::npos;
       at = graph.find("quantize(", at + 1))
    ++n;
  EXPECT_EQ(n, 4u);  // before q/k/v, output, gate/up, down; the f32 head reads f32
  EXPECT_EQ(dumps({.linears = Dtype::q8_0}, Numerics::exact).at("choose").find("quantize("),
            std::string::npos);
}

TEST(Compile, PartsThatDoNotFillPanelsStayApart) {
  const std::string graph =
      dumps({.n_layers = 1, .n_heads = 3, .n_kv_heads = 1, .head_dim = 16}).at("fuse");
  EXPECT_NE(graph.find("linear(%1) blk.0.attn_q.weight : tokens x 48"), std::string::npos) << graph;
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
    EXPECT_GE((*executor)->n_pages() * page, tokens * sequences);
    EXPECT_LT((*executor)->n_pages() * page, (tokens + page) * sequences);
    EXPECT_EQ((*executor)->n_pages() % sequences, 0);  // none is shared
    return (*executor)->n_pages();
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
