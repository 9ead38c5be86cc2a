#include "models/tensor_rules.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "quant/format.h"

namespace quern {
namespace {

// Names of all weights that a graph reads.
struct Reader {
  std::unordered_set<std::string_view>& names;

  void operator()(const Embed& e) const { names.insert(e.weight); }
  void operator()(const Linear& l) const {
    for (const LinearPart& part : l.parts) names.insert({part.weight, part.bias});
  }
  void operator()(const Norm& n) const { names.insert(n.weight); }
  void operator()(const Rope& r) const { names.insert(r.factors); }
  void operator()(const Scale& s) const { names.insert(s.weight); }
  template <class T>
  void operator()(const T&) const {}
};

// A bias of zeros has no effect.
bool is_zero(const Weight& weight) {
  constexpr int64_t kMax = 1 << 24;  // larger ones are not biases
  const Format* format = find_format(weight.dtype);
  const int64_t n = weight.n_rows() * weight.n_cols();
  if (!format || n > kMax) return false;
  std::vector<float> values(n);
  format->decode({weight.dtype, weight.n_rows(), weight.n_cols(), weight.data}, 0, weight.n_rows(),
                 values.data());
  return std::ranges::all_of(values, [](float x) { return x == 0; });
}
bool any(const Weight&) { return true; }

// By the end of the name: "blk.3.attn_norm.bias" ends with ".bias".
struct TensorRule {
  std::string_view end;
  bool (*harmless)(const Weight&);
  const char* what;
};
constexpr TensorRule kRules[] = {
    {"attn_rot_embd.weight", any, "the frequencies of rope, as rope.freq_base gives them"},
    {".bias", is_zero, "a bias that is not 0"},
    {"_qkv.weight", nullptr, "q, k and v in one matrix"},
    {"_q_norm.weight", nullptr, "a norm of q"},
    {"_k_norm.weight", nullptr, "a norm of k"},
    {"post_attention_norm.weight", nullptr, "a norm behind attention"},
    {"post_ffw_norm.weight", nullptr, "a norm behind the MLP"},
    {"_norm.weight", nullptr, "a further norm"},
    {"_sinks.weight", nullptr, "attention has sinks"},
    {"rope_factors_long.weight", nullptr, "rope is scaled (LongRoPE)"},
    {"rope_factors_short.weight", nullptr, "rope is scaled (LongRoPE)"},
    {"rope_freqs.weight", nullptr, "rope is scaled layer by layer"},
    {"_exps.weight", nullptr, "the model has experts"},
    {"_shexp.weight", nullptr, "the model has experts"},
    {"_gate_inp.weight", nullptr, "the model has experts"},
    {"position_embd.weight", nullptr, "positions have an embedding"},
    {"token_types.weight", nullptr, "token types have an embedding"},
    {"input_scale", nullptr, "inputs of a product are scaled"},
    {".scale", nullptr, "a scale"},
};

Error unsupported(const WeightSource& source, const Weight& weight, const TensorRule* rule) {
  const std::string what = rule ? rule->what : "not part of the model as this version knows it";
  return {Code::unsupported, "tensor " + weight.name + " is not used: " + what, source.path(),
          "answers without it would be wrong: use another model, or a program that knows " +
              source.architecture() + " models with such a tensor"};
}

}  // namespace

Result<> check_tensors(const WeightSource& source, const Graph& graph) {
  std::unordered_set<std::string_view> used;
  for (const Node& node : graph.nodes) std::visit(Reader{used}, node.attributes);
  for (const Weight& weight : source.weights()) {
    if (used.contains(weight.name)) continue;
    const auto* rule = std::ranges::find_if(
        kRules, [&](const TensorRule& r) { return weight.name.ends_with(r.end); });
    if (rule == std::end(kRules)) rule = nullptr;
    const bool harmless = rule && rule->harmless && rule->harmless(weight);
    if (!harmless) return unsupported(source, weight, rule);
  }
  return Ok{};
}

}  // namespace quern
