#include "models/key_rules.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quern {
namespace {

using Value = MetaValue;

// Every number of the value fits; a list of numbers counts as that of all layers.
template <class Fits>
bool all_numbers(const Value& value, Fits fits) {
  if (const auto* b = std::get_if<bool>(&value)) return fits(*b ? 1.0 : 0.0);
  if (const auto* i = std::get_if<int64_t>(&value)) return fits(static_cast<double>(*i));
  if (const auto* d = std::get_if<double>(&value)) return fits(*d);
  const auto each = [&](auto number) { return fits(static_cast<double>(number)); };
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value))
    return std::ranges::all_of(*list, each);
  if (const auto* list = std::get_if<std::vector<double>>(&value))
    return std::ranges::all_of(*list, each);
  return false;
}
bool equals(const Value& value, double wanted) {
  // Files have f32; the same number may have been rounded on the way.
  return all_numbers(value,
                     [&](double x) { return std::abs(x - wanted) <= 1e-6 * std::abs(wanted); });
}

bool any(const Value&, const Config&) { return true; }
bool zero(const Value& v, const Config&) { return equals(v, 0); }
bool one(const Value& v, const Config&) { return equals(v, 1); }
// Factors: files write 0 for none.
bool zero_or_one(const Value& v, const Config&) {
  return all_numbers(v, [](double x) { return x == 0 || x == 1; });
}
bool head_dim(const Value& v, const Config& c) { return equals(v, c.head_dim); }
bool rotated(const Value& v, const Config& c) { return equals(v, c.rotated); }
bool width(const Value& v, const Config& c) { return equals(v, c.width); }
bool theta(const Value& v, const Config& c) { return equals(v, c.rope_theta); }
bool epsilon(const Value& v, const Config& c) { return equals(v, c.epsilon); }
bool usual_scale(const Value& v, const Config& c) {
  return equals(v, 0) || equals(v, 1 / std::sqrt(static_cast<double>(c.head_dim)));
}
// Layers with and without a window: without effect where there is no window or where all layers
// have it. A number n leaves every n-th layer without a window, 0 leaves none.
bool same_window(const Value& v, const Config& c) {
  if (c.window == 0) return true;
  if (std::holds_alternative<std::vector<int64_t>>(v)) return equals(v, 1);
  return equals(v, 0);
}
bool without_window(const Value& v, const Config& c, bool same) { return c.window == 0 || same; }
bool window_theta(const Value& v, const Config& c) { return without_window(v, c, theta(v, c)); }
bool window_head_dim(const Value& v, const Config& c) {
  return without_window(v, c, head_dim(v, c));
}
bool window_rotated(const Value& v, const Config& c) { return without_window(v, c, rotated(v, c)); }
bool reference_order(const Value& v, const Config&) { return v == Value("reference"); }

constexpr const char* kExperts = "the model has experts";
constexpr const char* kYarn = "only YaRN and LongRoPE read it, and these are refused";
constexpr const char* kState = "the layers are recurrent";
constexpr const char* kLowRank = "a product is split in two of low rank";

constexpr KeyRule kRules[] = {
    // Known to be without effect.
    {"vocab_size", any, "the rows of the embedding are the vocabulary"},
    {"pooling_type", any, "of embeddings: read where they are made"},
    {"rope.scaling.original_context_length", any, kYarn},
    {"rope.scaling.finetuned", any, "what training did; the weights are as they are"},
    {"rope.scaling.yarn_log_multiplier", any, kYarn},
    {"rope.scaling.yarn_ext_factor", any, kYarn},
    {"rope.scaling.yarn_attn_factor", any, kYarn},
    {"rope.scaling.yarn_beta_fast", any, kYarn},
    {"rope.scaling.yarn_beta_slow", any, kYarn},
    // Attention.
    {"attention.value_length", head_dim, "values are of another size than keys"},
    {"attention.scale", usual_scale, "scores are scaled otherwise than by 1 / sqrt(head size)"},
    {"attention.output_scale", zero_or_one, "the output of attention is scaled"},
    {"attention.causal", one, "tokens see those behind them"},
    {"attention.clamp_kqv", zero, "q, k and v are clamped"},
    {"attention.max_alibi_bias", zero, "scores get a bias by distance (ALiBi)"},
    {"attention.relative_buckets_count", zero, "scores get a learned bias by distance"},
    {"attention.layer_norm_epsilon", epsilon, "norms have another epsilon"},
    {"attention.group_norm_epsilon", zero, "there are group norms"},
    {"attention.group_norm_groups", zero, "there are group norms"},
    {"attention.value_scale", zero_or_one, "values are scaled"},
    {"attention.output_group_count", zero, kLowRank},
    {"attention.output_lora_rank", zero, kLowRank},
    {"attention.compress_rope_freq_base", zero, "keys and values are compressed"},
    {"attention.compress_ratios", zero, "keys and values are compressed"},
    {"attention.recurrent_layers", zero, kState},
    {"attention.temperature_length", zero, "scores are scaled by the position"},
    {"attention.temperature_scale", zero, "scores are scaled by the position"},
    {"attention.shared_kv_layers", zero, "layers share keys and values"},
    {"attention.sliding_window_pattern", same_window, "only some layers have the window"},
    {"attention.key_length_swa", window_head_dim, "heads are of another size in windowed layers"},
    {"attention.value_length_swa", window_head_dim, "heads are of another size in windowed layers"},
    {"attention.key_length_mla", zero, "keys and values are compressed (MLA)"},
    {"attention.value_length_mla", zero, "keys and values are compressed (MLA)"},
    {"attention.q_lora_rank", zero, kLowRank},
    {"attention.kv_lora_rank", zero, kLowRank},
    {"attention.decay_lora_rank", zero, kLowRank},
    {"attention.iclr_lora_rank", zero, kLowRank},
    {"attention.value_residual_mix_lora_rank", zero, kLowRank},
    {"attention.gate_lora_rank", zero, kLowRank},
    {"attention.indexer.*", zero, "attention picks the tokens it sees"},
    {"attn_logit_softcapping", zero, "scores are capped"},
    {"full_attention_interval", zero_or_one, "only some layers have attention"},
    // Positions.
    {"rope.dimension_count_swa", window_rotated, "rope turns other dims in windowed layers"},
    {"rope.dimension_sections", zero, "positions have several parts"},
    {"rope.freq_base_swa", window_theta, "rope has another base in windowed layers"},
    {"rope.scaling.alpha", zero_or_one, "rope is scaled by the context's length"},
    {"rope.scaling.attn_factor", one, "rope scales q and k"},
    // Scales and caps of the stream.
    {"embedding_scale", zero_or_one, "the embedding is scaled"},
    {"residual_scale", zero_or_one, "what layers add is scaled"},
    {"logit_scale", zero_or_one, "logits are scaled"},
    {"final_logit_softcapping", zero, "logits are capped"},
    {"router_logit_softcapping", zero, kExperts},
    {"swiglu_clamp_exp", zero, "the MLP's values are clamped"},
    {"swiglu_clamp_shexp", zero, "the MLP's values are clamped"},
    {"activation_sparsity_scale", zero, "small values of the MLP are dropped"},
    // Order of norms and blocks.
    {"use_parallel_residual", zero, "attention and MLP read the same input"},
    {"swin_norm", zero, "norms follow attention and MLP"},
    {"rescale_every_n_layers", zero, "values are halved every few layers"},
    {"tensor_data_layout", reference_order, "weights may be laid out otherwise"},
    {"embedding_length_out", width, "the output has another width"},
    {"features_length", width, "the input has another width"},
    {"embedding_length_per_layer_input", zero, "layers have an input of their own"},
    {"altup.*", zero, "layers have several streams"},
    {"hyper_connection.*", zero, "layers have several streams"},
    {"norm_before_residual", zero, "the residual is taken behind the norm"},
    {"hidden_activation", nullptr, "the MLP may have another activation"},
    {"classifier.output_labels", nullptr, "the model sorts texts into classes"},
    {"target_layers", nullptr, "the model drafts tokens for another"},
    {"target_hidden_size", zero, "the model drafts tokens for another"},
    {"deepstack_mapping", nullptr, "layers get features of an image"},
    {"n_deepstack_layers", zero, "layers get features of an image"},
    {"nextn_predict_layers", zero, "the last layers predict draft tokens (MTP)"},
    {"decoder_start_token_id", nullptr, "the model is an encoder and a decoder"},
    {"decoder_block_count", zero, "the model is an encoder and a decoder"},
    {"dense_2_feat_in", zero, "embeddings go through further products"},
    {"dense_2_feat_out", zero, "embeddings go through further products"},
    {"dense_3_feat_in", zero, "embeddings go through further products"},
    {"dense_3_feat_out", zero, "embeddings go through further products"},
    // Experts.
    {"expert_count", zero, kExperts},
    {"expert_used_count", zero, kExperts},
    {"expert_shared_count", zero, kExperts},
    {"expert_group_count", zero, kExperts},
    {"expert_group_used_count", zero, kExperts},
    {"expert_feed_forward_length", zero, kExperts},
    {"expert_shared_feed_forward_length", zero, kExperts},
    {"expert_chunk_feed_forward_length", zero, kExperts},
    {"expert_weights_scale", zero_or_one, kExperts},
    {"expert_weights_norm", zero, kExperts},
    {"expert_gating_func", zero, kExperts},
    {"expert_group_scale", zero_or_one, kExperts},
    {"experts_per_group", zero, kExperts},
    {"leading_dense_block_count", zero, kExperts},
    {"moe_every_n_layers", zero, kExperts},
    {"hash_layer_count", zero, kExperts},
    {"moe_latent_size", zero, kExperts},
    {"interleave_moe_layer_step", zero, kExperts},
    // Other kinds of layers.
    {"ssm.*", zero, kState},
    {"wkv.*", zero, kState},
    {"kda.*", zero, kState},
    {"shortconv.*", zero, "layers have convolutions"},
    {"time_mix_extra_dim", zero, kState},
    {"time_decay_extra_dim", zero, kState},
    {"token_shift_count", zero, kState},
    {"posnet.*", zero, "the model makes sound"},
    {"convnext.*", zero, "the model makes sound"},
};

bool fits(const KeyRule& rule, std::string_view key) {
  if (!rule.key.ends_with('*')) return rule.key == key;
  return key.starts_with(rule.key.substr(0, rule.key.size() - 1));
}

Error unsupported(const WeightSource& source, const std::string& key, const Value& value,
                  const KeyRule* rule) {
  const std::string name = "key " + key + " is " + to_text(value);
  if (rule)
    return {Code::unsupported, name + ": " + rule->what, source.path(),
            "this version does not compute that, and answers without it would be wrong: use "
            "another model, or a program that knows the key"};
  return {Code::unsupported, name + ": a key that this version does not know", source.path(),
          "it may change results: use a newer version, or remove it if you know that it does "
          "nothing (gguf-py: gguf-new-metadata --remove-metadata " +
              key + ")"};
}

}  // namespace

bool is_silu(const MetaValue& value, const Config&) {
  return value == MetaValue("silu") || value == MetaValue("swish");
}

std::span<const KeyRule> key_rules() { return kRules; }

Result<> check_keys(const WeightSource& source, const Config& config,
                    std::span<const KeyRule> own) {
  const std::string prefix = source.architecture() + ".";
  const std::vector<std::string> read = config_keys();
  const auto& entries = source.metadata().entries;
  for (auto at = entries.lower_bound(prefix); at != entries.end(); ++at) {
    const auto& [key, value] = *at;
    if (!key.starts_with(prefix)) break;
    const std::string_view name = std::string_view(key).substr(prefix.size());
    if (std::ranges::find(read, name) != read.end()) continue;
    const auto is_for_it = [&](const KeyRule& rule) { return fits(rule, name); };
    const KeyRule* rule = nullptr;
    if (const auto mine = std::ranges::find_if(own, is_for_it); mine != own.end()) {
      rule = &*mine;
    } else if (const auto* common = std::ranges::find_if(kRules, is_for_it);
               common != std::end(kRules)) {
      rule = common;
    }
    const bool harmless = rule && rule->harmless && rule->harmless(value, config);
    if (!harmless) return unsupported(source, key, value, rule);
  }
  return Ok{};
}

}  // namespace quern
