// Keys that a model file may have: each is read, without effect, or refused by name.
#include "models/key_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "models/family.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::make_tiny_llama;
using testing::TinyLlama;
using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;

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

struct Case {
  const char* key;
  MetaValue value;
};
std::string label(const Case& c) { return std::string(c.key) + " = " + to_text(c.value); }

// Two layers, 4 heads of 16 over 2, width 64, MLP of 96.
std::shared_ptr<MemorySource> with(const Case& c, const TinyLlama& shape = {}) {
  auto source = make_tiny_llama(shape);
  source->metadata().entries[std::string("llama.") + c.key] = c.value;
  return source;
}

const Case kRefused[] = {
    {"attention.scale", 0.5},
    {"attention.scale", 1.0},
    {"attention.output_scale", 0.7},
    {"attention.value_scale", 0.7},
    {"attention.causal", false},
    {"attention.clamp_kqv", 8.0},
    {"attention.max_alibi_bias", 8.0},
    {"attention.layer_norm_epsilon", 1e-6},
    {"attention.group_norm_groups", int64_t{32}},
    {"attention.relative_buckets_count", int64_t{32}},
    {"attention.value_length", int64_t{32}},
    {"attention.temperature_scale", 0.1},
    {"attention.temperature_length", int64_t{8192}},
    {"attention.shared_kv_layers", int64_t{1}},
    {"attention.q_lora_rank", int64_t{8}},
    {"attention.kv_lora_rank", int64_t{8}},
    {"attention.key_length_mla", int64_t{192}},
    {"attention.indexer.top_k", int64_t{64}},
    {"attention.recurrent_layers", Ints{1, 0}},
    {"attention.recurrent_layers", Ints{0, 1}},
    {"attn_logit_softcapping", 50.0},
    {"final_logit_softcapping", 30.0},
    {"router_logit_softcapping", 30.0},
    {"logit_scale", 0.25},
    {"logit_scale", int64_t{16}},
    {"embedding_scale", 12.0},
    {"residual_scale", 0.22},
    {"rope.dimension_sections", Ints{4, 2, 2, 0}},
    {"rope.scaling.type", "yarn"},
    {"rope.scaling.type", "longrope"},
    {"rope.scaling.attn_factor", 1.2},
    {"rope.scaling.alpha", 1000.0},
    {"use_parallel_residual", true},
    {"swin_norm", true},
    {"rescale_every_n_layers", int64_t{6}},
    {"tensor_data_layout", "of my own"},
    {"hidden_activation", "gelu"},
    {"embedding_length_out", int64_t{32}},
    {"embedding_length_per_layer_input", int64_t{16}},
    {"altup.num_inputs", int64_t{4}},
    {"activation_sparsity_scale", Floats{1.6, 0.0}},
    {"swiglu_clamp_exp", Floats{0, 7}},
    {"n_deepstack_layers", int64_t{3}},
    {"deepstack_mapping", Ints{1, 2}},
    {"nextn_predict_layers", int64_t{1}},
    {"decoder_start_token_id", int64_t{0}},
    {"decoder_block_count", int64_t{2}},
    {"dense_2_feat_out", int64_t{512}},
    {"full_attention_interval", int64_t{4}},
    {"expert_count", int64_t{8}},
    {"expert_count", Ints{0, 8}},
    {"expert_used_count", int64_t{2}},
    {"expert_shared_count", int64_t{1}},
    {"expert_weights_scale", 2.5},
    {"expert_weights_norm", true},
    {"expert_feed_forward_length", int64_t{64}},
    {"leading_dense_block_count", int64_t{1}},
    {"interleave_moe_layer_step", int64_t{1}},
    {"ssm.conv_kernel", int64_t{4}},
    {"wkv.head_size", int64_t{64}},
    {"shortconv.l_cache", int64_t{3}},
    {"hyper_connection.count", int64_t{4}},
    {"rotation.hadamard", true},
    {"rotation.block_size", int64_t{128}},
    {"something_new", 0.0},
    {"something_new", "text"},
    {"logit_scale", "1.0"},
};

TEST(KeyRules, WhatChangesResultsIsRefusedByName) {
  for (const Case& c : kRefused) {
    const Outcome o = outcome(*with(c));
    EXPECT_FALSE(o.runs) << label(c);
    EXPECT_EQ(o.error.code, Code::unsupported) << label(c);
    EXPECT_NE(o.error.what.find(c.key), std::string::npos) << o.error.what;
    EXPECT_FALSE(o.error.where.empty() || o.error.fix.empty()) << label(c);
    if (std::string(c.key) == "rope.scaling.type") continue;  // in other words
    EXPECT_NE(o.error.what.find(to_text(c.value)), std::string::npos) << o.error.what;
  }
}

const Case kHarmless[] = {
    {"vocab_size", int64_t{96}},
    {"vocab_size", int64_t{90}},
    {"rope.dimension_count", int64_t{16}},
    {"rope.scaling.type", "none"},
    {"rope.scaling.type", "linear"},
    {"rope.scaling.factor", 1.0},
    {"rope.scaling.original_context_length", int64_t{8192}},
    {"rope.scaling.finetuned", false},
    {"rope.scaling.finetuned", true},
    {"rope.scaling.yarn_beta_fast", 32.0},
    {"rope.scaling.attn_factor", 1.0},
    {"rope.scaling.alpha", 0.0},
    {"rope.dimension_sections", Ints{0, 0, 0, 0}},
    {"rope.freq_base_swa", 10000.0},
    {"rope.freq_base_swa", 500000.0},  // there is no window
    {"attention.value_length", int64_t{16}},
    {"attention.value_length", Ints{16, 16}},
    {"attention.scale", 0.25},  // 1 / sqrt(16)
    {"attention.scale", 0.0},
    {"attention.causal", true},
    {"attention.clamp_kqv", 0.0},
    {"attention.max_alibi_bias", 0.0},
    {"attention.layer_norm_epsilon", 1e-5},
    {"attention.sliding_window", int64_t{0}},
    {"attention.sliding_window_pattern", Ints{1, 0}},  // there is no window
    {"attention.sliding_window_pattern", int64_t{6}},
    {"attn_logit_softcapping", 0.0},
    {"final_logit_softcapping", 0.0},
    {"logit_scale", 1.0},
    {"logit_scale", int64_t{1}},
    {"logit_scale", 0.0},
    {"embedding_scale", 1.0},
    {"residual_scale", 1.0},
    {"use_parallel_residual", false},
    {"tensor_data_layout", "Meta AI original pth"},
    {"tensor_data_layout", "reference"},
    {"hidden_activation", "silu"},
    {"embedding_length_out", int64_t{64}},
    {"expert_count", int64_t{0}},
    {"expert_count", Ints{0, 0}},
    {"expert_used_count", int64_t{0}},
    {"expert_weights_scale", 1.0},
    {"leading_dense_block_count", int64_t{0}},
    {"nextn_predict_layers", int64_t{0}},
    {"pooling_type", int64_t{3}},
};

TEST(KeyRules, WhatChangesNothingIsAccepted) {
  for (const Case& c : kHarmless) {
    const Outcome o = outcome(*with(c));
    EXPECT_TRUE(o.runs) << label(c) << ": " << to_string(o.error);
  }
}

TEST(KeyRules, AWindowThatOnlySomeLayersHaveIsRefused) {
  const struct {
    Case c;
    bool runs;
  } cases[] = {
      {{"attention.sliding_window_pattern", Ints{1, 1}}, true},
      {{"attention.sliding_window_pattern", Ints{1, 0}}, false},
      {{"attention.sliding_window_pattern", Ints{0, 0}}, false},
      {{"attention.sliding_window_pattern", int64_t{0}}, true},
      {{"attention.sliding_window_pattern", int64_t{1}}, false},
      {{"attention.sliding_window_pattern", int64_t{6}}, false},
      {{"rope.freq_base_swa", 10000.0}, true},
      {{"rope.freq_base_swa", 500000.0}, false},
      {{"attention.key_length_swa", int64_t{16}}, true},
      {{"attention.key_length_swa", int64_t{32}}, false},
      {{"rope.dimension_count_swa", int64_t{8}}, false},
  };
  for (const auto& [c, runs] : cases)
    EXPECT_EQ(outcome(*with(c, {.window = 40})).runs, runs) << label(c);
}

// Keys of gguf-py's and llama.cpp's lists: the reader knows each.
constexpr const char* kWellKnown[] = {
    "activation_sparsity_scale",
    "altup.active_idx",
    "altup.num_inputs",
    "attention.causal",
    "attention.clamp_kqv",
    "attention.compress_ratios",
    "attention.compress_rope_freq_base",
    "attention.decay_lora_rank",
    "attention.gate_lora_rank",
    "attention.group_norm_epsilon",
    "attention.group_norm_groups",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.iclr_lora_rank",
    "attention.indexer.head_count",
    "attention.indexer.key_length",
    "attention.indexer.top_k",
    "attention.key_length",
    "attention.key_length_mla",
    "attention.key_length_swa",
    "attention.kv_lora_rank",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.max_alibi_bias",
    "attention.output_group_count",
    "attention.output_lora_rank",
    "attention.output_scale",
    "attention.q_lora_rank",
    "attention.recurrent_layers",
    "attention.relative_buckets_count",
    "attention.scale",
    "attention.shared_kv_layers",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.temperature_length",
    "attention.temperature_scale",
    "attention.value_length",
    "attention.value_length_mla",
    "attention.value_length_swa",
    "attention.value_residual_mix_lora_rank",
    "attention.value_scale",
    "attn_logit_softcapping",
    "block_count",
    "classifier.output_labels",
    "context_length",
    "convnext.block_count",
    "convnext.embedding_length",
    "decoder_block_count",
    "decoder_start_token_id",
    "deepstack_mapping",
    "dense_2_feat_in",
    "dense_2_feat_out",
    "dense_3_feat_in",
    "dense_3_feat_out",
    "embedding_length",
    "embedding_length_out",
    "embedding_length_per_layer_input",
    "embedding_scale",
    "expert_chunk_feed_forward_length",
    "expert_count",
    "expert_feed_forward_length",
    "expert_gating_func",
    "expert_group_count",
    "expert_group_scale",
    "expert_group_used_count",
    "expert_shared_count",
    "expert_shared_feed_forward_length",
    "expert_used_count",
    "expert_weights_norm",
    "expert_weights_scale",
    "experts_per_group",
    "features_length",
    "feed_forward_length",
    "final_logit_softcapping",
    "full_attention_interval",
    "hash_layer_count",
    "hidden_activation",
    "hyper_connection.count",
    "hyper_connection.epsilon",
    "hyper_connection.sinkhorn_iterations",
    "interleave_moe_layer_step",
    "kda.head_dim",
    "leading_dense_block_count",
    "logit_scale",
    "moe_every_n_layers",
    "moe_latent_size",
    "n_deepstack_layers",
    "nextn_predict_layers",
    "norm_before_residual",
    "pooling_type",
    "posnet.block_count",
    "posnet.embedding_length",
    "rescale_every_n_layers",
    "residual_scale",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.dimension_sections",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.alpha",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_log_multiplier",
    "router_logit_softcapping",
    "shortconv.l_cache",
    "ssm.conv_kernel",
    "ssm.dt_b_c_rms",
    "ssm.group_count",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
    "swiglu_clamp_exp",
    "swiglu_clamp_shexp",
    "swin_norm",
    "target_hidden_size",
    "target_layers",
    "tensor_data_layout",
    "time_decay_extra_dim",
    "time_mix_extra_dim",
    "token_shift_count",
    "use_parallel_residual",
    "vocab_size",
    "wkv.head_size",
};

TEST(KeyRules, EveryWellKnownKeyHasARule) {
  const std::vector<std::string> read = config_keys();
  for (const std::string key : kWellKnown) {
    const bool is_read = std::ranges::find(read, key) != read.end();
    const auto rules = key_rules();
    const bool has_rule = std::ranges::any_of(rules, [&](const KeyRule& rule) {
      return rule.key.ends_with('*') ? key.starts_with(rule.key.substr(0, rule.key.size() - 1))
                                     : rule.key == key;
    });
    EXPECT_NE(is_read, has_rule) << key;  // one of the two
  }
}

TEST(KeyRules, OtherNamespacesAreNotTheReaders) {
  for (const char* key :
       {"general.name", "general.sampling.temp", "tokenizer.ggml.eos_token_id", "split.count",
        "quantize.imatrix.file", "imatrix.chunk_count", "mradermacher.convert_type",
        "qwen2.logit_scale", "llama2.logit_scale", "xllama.logit_scale"}) {
    auto source = make_tiny_llama({});
    source->metadata().entries[key] = 0.5;
    EXPECT_TRUE(outcome(*source).runs) << key;
  }
}

// Files of unknown architectures and files that are not models: reported before any missing key.
TEST(KeyRules, WhatIsNoModelSaysSo) {
  const struct {
    const char *architecture, *type;
    Code code;
    const char* says;
  } cases[] = {
      {"clip", "mmproj", Code::unsupported, "projector"},
      {"clip", "", Code::unsupported, "projector"},
      {"llama", "adapter", Code::unsupported, "LoRA adapter"},
      {"", "imatrix", Code::unsupported, "importance matrix"},
      {"controlvector", "", Code::unsupported, "control vector"},
      {"mamba9", "model", Code::unsupported, "no model family for architecture 'mamba9'"},
      {"", "model", Code::corrupt, "general.architecture is missing"},
      {"llama", "model", Code::corrupt, "llama.block_count is missing"},
  };
  for (const auto& c : cases) {
    MemorySource source("file", c.architecture);
    auto& keys = source.metadata().entries;
    if (*c.architecture) keys["general.architecture"] = std::string(c.architecture);
    if (*c.type) keys["general.type"] = std::string(c.type);
    const Outcome o = outcome(source);
    EXPECT_EQ(o.error.code, c.code) << c.says;
    EXPECT_NE(o.error.what.find(c.says), std::string::npos) << o.error.what;
    EXPECT_FALSE(o.error.fix.empty()) << c.says;
  }
}

// The same model under another architecture, whose graph needs nothing more.
std::shared_ptr<MemorySource> as_qwen2(const Case& c) {
  const auto llama = make_tiny_llama({});
  auto source = std::make_shared<MemorySource>("tiny", "qwen2");
  for (const auto& [key, value] : llama->metadata().entries)
    source->metadata().entries["qwen2" + key.substr(5)] = value;
  source->metadata().entries[std::string("qwen2.") + c.key] = c.value;
  for (const Weight& w : llama->weights())
    source->add(w.name, w.dtype, w.dims, {w.data.begin(), w.data.end()});
  return source;
}

TEST(KeyRules, HoldForEveryFamily) {
  const struct {
    Case c;
    bool runs;
  } cases[] = {
      {{"logit_scale", 0.5}, false},
      {{"logit_scale", 1.0}, true},
      {{"rope.dimension_sections", Ints{16, 24, 24, 0}}, false},
      {{"expert_count", int64_t{60}}, false},
      {{"hidden_activation", "silu"}, true},
      {{"hidden_activation", "gelu"}, false},
      {{"tensor_data_layout", "Meta AI original pth"}, false},  // rotates by halves
      {{"attention.sliding_window", int64_t{32}}, true},
  };
  for (const auto& [c, runs] : cases) EXPECT_EQ(outcome(*as_qwen2(c)).runs, runs) << label(c);
}

}  // namespace
}  // namespace quern
