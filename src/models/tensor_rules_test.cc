// Tensors that a model file may have: each is used, without effect, or refused by name.
#include "models/tensor_rules.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "models/family.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;

// The error of building the graph; none if it was built.
struct Outcome {
  bool runs = false;
  Error error{};
};
Outcome outcome(const WeightSource& source) {
  const auto config = read_config(source);
  if (!config) return {false, config.error()};
  const auto graph = build_graph(source, *config);
  if (!graph) return {false, graph.error()};
  return {true, {}};
}

struct TensorCase {
  const char* name;
  float value;
  bool runs;
};
const TensorCase kTensors[] = {
    {"blk.0.attn_q.bias", 0.5f, true},
    {"blk.1.ffn_down.bias", 0.5f, true},
    {"blk.0.attn_output.scale", 0.5f, true},
    {"rope_freqs.weight", 1.5f, true},
    {"output.bias", 0.5f, true},
    {"blk.0.attn_rot_embd.weight", 0.5f, true},
    {"output_norm.bias", 0.5f, false},
    {"output_norm.bias", 0, true},
    {"blk.0.attn_norm.bias", 0.5f, false},
    {"blk.1.ffn_norm.bias", 0, true},
    {"blk.0.attn_q_norm.weight", 1, false},
    {"blk.1.attn_k_norm.weight", 1, false},
    {"blk.0.attn_qkv.weight", 1, false},
    {"blk.0.attn_qkv.bias", 1, false},
    {"blk.0.attn_sub_norm.weight", 1, false},
    {"blk.0.post_attention_norm.weight", 1, false},
    {"blk.0.post_ffw_norm.weight", 1, false},
    {"blk.0.ffn_gate_inp.weight", 1, false},
    {"blk.0.ffn_up_exps.weight", 1, false},
    {"blk.0.ffn_up_shexp.weight", 1, false},
    {"blk.0.attn_sinks.weight", 1, false},
    {"blk.0.rope_freqs.weight", 1, false},
    {"rope_factors_long.weight", 1, false},
    {"rope_factors_short.weight", 1, false},
    {"token_embd_norm.weight", 1, false},
    {"position_embd.weight", 1, false},
    {"token_types.weight", 1, false},
    {"cls.weight", 1, false},
    {"cls.output.bias", 1, false},
    {"blk.2.attn_q.weight", 1, false},
    {"blk.2.nextn.eh_proj.weight", 1, false},
    {"blk.0.attn_q.input_scale", 1, false},
    {"blk.0.attn_norm.scale", 1, false},
    {"dense_2.weight", 1, false},
    {"v.blk.0.attn_q.weight", 1, false},
    {"blk.0.attn_q.weight.lora_a", 1, false},
    {"per_layer_model_proj.weight", 1, false},
    {"blk.0.layer_output_scale.weight", 1, false},
};

TEST(TensorRules, EachIsUsedWithoutEffectOrRefusedByName) {
  for (const TensorCase& c : kTensors) {
    const std::string name = c.name;
    auto source = make_tiny_llama({});
    const int64_t n = name == "rope_freqs.weight" ? 8 : 64;
    const std::vector<float> values(n, c.value);
    const auto bytes = std::as_bytes(std::span(values));
    source->add(name, Dtype::f32, {n}, {bytes.begin(), bytes.end()});
    const Outcome o = outcome(*source);
    EXPECT_EQ(o.runs, c.runs) << name << " " << to_string(o.error);
    if (c.runs) continue;
    EXPECT_EQ(o.error.code, Code::unsupported) << name;
    EXPECT_NE(o.error.what.find("tensor " + name), std::string::npos) << o.error.what;
    EXPECT_FALSE(o.error.where.empty() || o.error.fix.empty()) << name;
  }
}

}  // namespace
}  // namespace quern
