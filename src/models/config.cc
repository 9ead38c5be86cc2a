#include "models/config.h"

#include <cmath>
#include <optional>
#include <string>

namespace quern {
namespace {

// A GGUF key ("{arch}." goes before it) and the member it fills.
struct IntegerKey {
  const char* key;
  int Config::*member;
  int64_t most;
  bool required;
};
constexpr IntegerKey kIntegers[] = {
    {"block_count", &Config::n_layers, 4096, true},
    {"embedding_length", &Config::width, 1 << 20, true},
    {"feed_forward_length", &Config::ffn, 1 << 22, true},
    {"attention.head_count", &Config::n_heads, 1 << 16, true},
    {"attention.head_count_kv", &Config::n_kv_heads, 1 << 16, false},
    {"attention.key_length", &Config::head_dim, 1 << 14, false},
    {"rope.dimension_count", &Config::rotated, 1 << 14, false},
    {"context_length", &Config::context, 1 << 28, false},
    {"attention.sliding_window", &Config::window, 1 << 28, false},
};

struct NumberKey {
  const char* key;
  float Config::*member;
};
constexpr NumberKey kNumbers[] = {
    {"attention.layer_norm_rms_epsilon", &Config::epsilon},
    {"rope.freq_base", &Config::rope_theta},
};

Error bad(const WeightSource& source, const std::string& what) {
  return Error{Code::corrupt, what, source.path(),
               "the file is damaged or was made by a broken converter"};
}

Result<> read_integers(const WeightSource& source, const std::string& arch, Config& config) {
  for (const IntegerKey& row : kIntegers) {
    const std::string key = arch + row.key;
    const auto value = source.metadata().integer(key);
    if (!value) {
      if (row.required || source.metadata().entries.contains(key))
        return bad(source, "key " + key +
                               (row.required ? " is missing or no single integer"
                                             : " is no single integer"));
      continue;
    }
    const bool zero_means_none = !row.required;
    if (*value < (zero_means_none ? 0 : 1) || *value > row.most)
      return bad(source, "key " + key + " is " + std::to_string(*value) + ", expected 1 to " +
                             std::to_string(row.most));
    config.*row.member = static_cast<int>(*value);
  }
  return Ok{};
}

Result<> read_numbers(const WeightSource& source, const std::string& arch, Config& config) {
  for (const NumberKey& row : kNumbers) {
    const std::string key = arch + row.key;
    const auto value = source.metadata().number(key);
    if (!value) continue;
    if (!std::isfinite(*value) || *value <= 0)
      return bad(source, "key " + key + " is " + std::to_string(*value));
    config.*row.member = static_cast<float>(*value);
  }
  return Ok{};
}

// Llama-3's scaling travels as the tensor rope_freqs; linear scaling as a factor; the rest is
// refused by name.
Result<> read_rope_scaling(const WeightSource& source, const std::string& arch, Config& config) {
  const auto kind = source.metadata().text(arch + "rope.scaling.type");
  auto factor = source.metadata().number(arch + "rope.scaling.factor");
  if (!factor) factor = source.metadata().number(arch + "rope.scale_linear");
  if (kind && *kind != "none" && *kind != "linear")
    return Error{Code::unsupported, "rope scaling '" + *kind + "'", source.path(),
                 "this build knows: none, linear, and the rope_freqs tensor"};
  if (!factor || (kind && *kind == "none")) return Ok{};
  if (!std::isfinite(*factor) || *factor < 0)
    return bad(source, "rope scaling factor " + std::to_string(*factor));
  if (*factor > 0) config.rope_scale = static_cast<float>(*factor);
  return Ok{};
}

}  // namespace

Result<Config> read_config(const WeightSource& source) {
  if (source.architecture().empty()) return bad(source, "key general.architecture is missing");
  const std::string arch = source.architecture() + ".";
  Config c;
  TRY_OK(read_integers(source, arch, c));
  TRY_OK(read_numbers(source, arch, c));
  TRY_OK(read_rope_scaling(source, arch, c));
  if (c.n_kv_heads == 0) c.n_kv_heads = c.n_heads;
  if (c.head_dim == 0) {
    if (c.width % c.n_heads != 0)
      return bad(source, "width " + std::to_string(c.width) + " over " + std::to_string(c.n_heads) +
                             " heads");
    c.head_dim = c.width / c.n_heads;
  }
  if (c.rotated == 0) c.rotated = c.head_dim;
  if (c.rotated > c.head_dim || c.rotated % 2 != 0 || c.head_dim % 2 != 0)
    return bad(source, "rope turns " + std::to_string(c.rotated) + " of " +
                           std::to_string(c.head_dim) + " dims of a head");
  if (c.n_heads % c.n_kv_heads != 0)
    return bad(source, std::to_string(c.n_heads) + " heads over " + std::to_string(c.n_kv_heads) +
                           " kv heads");
  const Weight* embedding = source.find("token_embd.weight");
  if (!embedding || embedding->dims.size() != 2)
    return bad(source, "tensor token_embd.weight is missing or no matrix");
  if (embedding->dims[0] > 1 << 24)
    return bad(source, "vocabulary of " + std::to_string(embedding->dims[0]) + " tokens");
  c.n_vocab = static_cast<int>(embedding->dims[0]);
  c.tied_head = source.find("output.weight") == nullptr;
  return c;
}

}  // namespace quern
