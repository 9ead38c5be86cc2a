#include "models/config.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "models/family.h"

namespace quern {
namespace {

// A GGUF key (without its "{arch}." prefix) and the member it fills. An array of one value per
// layer
// is taken where a layer has a member for it, or where all are equal.
struct IntegerKey {
  const char* key;
  int Config::*member;
  int64_t most;
  bool required;
  bool may_be_array = true;
  int LayerConfig::*of_layer = nullptr;
};
constexpr IntegerKey kIntegers[] = {
    {"block_count", &Config::n_layers, 4096, true, false},
    {"embedding_length", &Config::width, 1 << 20, true, false},
    {"context_length", &Config::context, 1 << 28, false, false},
    {"feed_forward_length", nullptr, 1 << 22, true, true, &LayerConfig::ffn},
    {"attention.head_count", nullptr, 1 << 16, true, true, &LayerConfig::n_heads},
    {"attention.head_count_kv", nullptr, 1 << 16, false, true, &LayerConfig::n_kv_heads},
    {"attention.key_length", &Config::head_dim, 1 << 14, false},
    {"rope.dimension_count", &Config::rotated, 1 << 14, false},
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

// Read by read_rope_scaling.
constexpr const char* kRopeKeys[] = {"rope.scaling.type", "rope.scaling.factor",
                                     "rope.scale_linear"};

Error bad(const WeightSource& source, const std::string& what) {
  return Error{Code::corrupt, what, source.path(),
               "the file is damaged or was made by a broken converter"};
}

// A key's value for each layer; empty where the key is absent. A single number holds for all.
template <class T>
Result<std::vector<T>> per_layer(const WeightSource& source, const std::string& key, int n_layers,
                                 std::optional<T> single, bool may_be_array) {
  const Metadata& keys = source.metadata();
  if (!keys.entries.contains(key)) return std::vector<T>();
  if (single) return std::vector<T>(n_layers, *single);
  std::vector<T> list;
  if (const auto* numbers = keys.get<std::vector<T>>(key)) list = *numbers;
  if (const auto* whole = keys.get<std::vector<int64_t>>(key))
    list.assign(whole->begin(), whole->end());
  if (list.empty() || !may_be_array) {
    const char* wanted = std::is_same_v<T, int64_t> ? "integer" : "number";
    return bad(source, "key " + key + " is not a single " + wanted);
  }
  if (std::ssize(list) != n_layers)
    return bad(source, "key " + key + " has " + std::to_string(list.size()) + " values for " +
                           std::to_string(n_layers) + " layers");
  return list;
}

// "8 in layer 0, 4 in layer 1": the first value and the first that differs from it.
template <class T>
std::string difference(const std::vector<T>& values) {
  const auto other = std::ranges::find_if(values, [&](T v) { return v != values[0]; });
  const auto of = [&](auto at) {
    return to_text(*at) + " in layer " + std::to_string(at - values.begin());
  };
  return of(values.begin()) + ", " + of(other);
}

template <class T>
Result<> check_equal(const WeightSource& source, const std::string& key,
                     const std::vector<T>& values) {
  if (std::ranges::all_of(values, [&](T v) { return v == values[0]; })) return Ok{};
  return Error{Code::unsupported, "key " + key + " differs between layers: " + difference(values),
               source.path(), "this build runs models with one value for all layers"};
}

Result<> read_integer(const WeightSource& source, const std::string& key, const IntegerKey& row,
                      Config& config) {
  const int n = row.member == &Config::n_layers ? 1 : config.n_layers;
  TRY(const std::vector<int64_t> values,
      per_layer(source, key, n, source.metadata().integer(key), row.may_be_array));
  if (values.empty())
    return row.required ? bad(source, "key " + key + " is missing") : Result<>(Ok{});
  const bool none = !row.required && std::ranges::all_of(values, [](int64_t v) { return v == 0; });
  for (size_t i = 0; i < values.size() && !none; ++i) {
    if (values[i] >= 1 && values[i] <= row.most) continue;
    if (values[i] == 0 && values != std::vector<int64_t>(values.size()))
      return Error{Code::unsupported,
                   "key " + key + " differs between layers: " + difference(values), source.path(),
                   "this build runs models whose layers all have attention and MLP"};
    return bad(source, "key " + key + " is " + std::to_string(values[i]) + ", expected 1 to " +
                           std::to_string(row.most));
  }
  if (row.of_layer) {
    for (int i = 0; i < config.n_layers; ++i)
      config.layers[i].*row.of_layer = static_cast<int>(values[i]);
    return Ok{};
  }
  TRY_OK(check_equal(source, key, values));
  config.*row.member = static_cast<int>(values[0]);
  return Ok{};
}

Result<> read_integers(const WeightSource& source, const std::string& arch, Config& config) {
  for (const IntegerKey& row : kIntegers) {
    TRY_OK(read_integer(source, arch + row.key, row, config));
    config.layers.resize(config.n_layers);
  }
  return Ok{};
}

// A number that is one for all layers; nothing where the key is absent.
Result<std::optional<double>> read_number(const WeightSource& source, const std::string& key,
                                          int n_layers) {
  TRY(const std::vector<double> values,
      per_layer(source, key, n_layers, source.metadata().number(key), true));
  if (values.empty()) return std::optional<double>();
  TRY_OK(check_equal(source, key, values));
  return std::optional(values[0]);
}

Result<> read_numbers(const WeightSource& source, const std::string& arch, Config& config) {
  for (const NumberKey& row : kNumbers) {
    const std::string key = arch + row.key;
    TRY(const std::optional<double> value, read_number(source, key, config.n_layers));
    if (!value) continue;
    const auto number = static_cast<float>(*value);
    if (!std::isfinite(number) || number <= 0)
      return bad(source, "key " + key + " is " + to_text(*value));
    config.*row.member = number;
  }
  return Ok{};
}

// Llama-3's scaling is the tensor rope_freqs, linear scaling is a factor; others are refused by
// name.
Result<> read_rope_scaling(const WeightSource& source, const std::string& arch, Config& config) {
  const std::string key = arch + kRopeKeys[0];
  const auto kind = source.metadata().text(key);
  if (!kind && source.metadata().entries.contains(key))
    return bad(source, "key " + key + " is not a string");
  TRY(std::optional<double> factor, read_number(source, arch + kRopeKeys[1], config.n_layers));
  TRY(const std::optional<double> old, read_number(source, arch + kRopeKeys[2], config.n_layers));
  if (!factor) factor = old;
  if (kind && *kind != "none" && *kind != "linear")
    return Error{Code::unsupported, "rope scaling '" + *kind + "' (key " + key + ")", source.path(),
                 "this build knows: none, linear, and the rope_freqs tensor"};
  if (!factor || (kind && *kind == "none")) return Ok{};
  if (!std::isfinite(static_cast<float>(*factor)) || *factor < 0)
    return bad(source, "rope scaling factor " + to_text(*factor));
  if (*factor > 0) config.rope_scale = static_cast<float>(*factor);
  return Ok{};
}

// Fills in head counts that the file does not give, and checks those of every layer.
Result<> complete_heads(const WeightSource& source, Config& c) {
  for (LayerConfig& layer : c.layers) {
    if (layer.n_kv_heads == 0) layer.n_kv_heads = layer.n_heads;
    if (layer.n_heads % layer.n_kv_heads != 0)
      return bad(source, std::to_string(layer.n_heads) + " heads over " +
                             std::to_string(layer.n_kv_heads) + " kv heads in layer " +
                             std::to_string(&layer - c.layers.data()));
    c.ffn = std::max(c.ffn, layer.ffn);
    c.n_heads = std::max(c.n_heads, layer.n_heads);
    c.n_kv_heads = std::max(c.n_kv_heads, layer.n_kv_heads);
  }
  if (c.head_dim == 0) {
    const int n_heads = c.layers[0].n_heads;
    const auto same = [&](const LayerConfig& layer) { return layer.n_heads == n_heads; };
    if (!std::ranges::all_of(c.layers, same))
      return bad(source,
                 "layers have different numbers of heads, and no key says how large they are");
    if (c.width % n_heads != 0)
      return bad(source, "width " + std::to_string(c.width) + " over " + std::to_string(n_heads) +
                             " heads");
    c.head_dim = c.width / n_heads;
  }
  if (c.rotated == 0) c.rotated = c.head_dim;
  if (c.rotated > c.head_dim || c.rotated % 2 != 0 || c.head_dim % 2 != 0)
    return bad(source, "rope turns " + std::to_string(c.rotated) + " of " +
                           std::to_string(c.head_dim) + " dims of a head");
  return Ok{};
}

}  // namespace

std::vector<std::string> config_keys() {
  std::vector<std::string> keys(std::begin(kRopeKeys), std::end(kRopeKeys));
  for (const IntegerKey& row : kIntegers) keys.emplace_back(row.key);
  for (const NumberKey& row : kNumbers) keys.emplace_back(row.key);
  return keys;
}

Result<Config> read_config(const WeightSource& source) {
  TRY_OK(find_family(source));  // other keys are those of families that are known
  const std::string arch = source.architecture() + ".";
  Config c;
  TRY_OK(read_integers(source, arch, c));
  TRY_OK(read_numbers(source, arch, c));
  TRY_OK(read_rope_scaling(source, arch, c));
  TRY_OK(complete_heads(source, c));
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
