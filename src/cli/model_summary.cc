#include "cli/model_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/end_tokens.h"
#include "api/generation_defaults.h"
#include "api/vocabulary_from_gguf.h"
#include "models/config.h"
#include "models/family.h"
#include "quant/format.h"
#include "text/chat_template.h"

namespace quern::cli {

namespace {

// A value of each layer: one number for all, or a list.
struct PerLayer {
  std::vector<int64_t> values;
  int64_t at(int64_t layer) const {
    if (values.empty()) return 0;
    return values[static_cast<size_t>(std::min<int64_t>(layer, std::ssize(values) - 1))];
  }
  int64_t largest() const {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  }
};

PerLayer per_layer(const Metadata& metadata, const std::string& key) {
  if (const auto* list = metadata.get<std::vector<int64_t>>(key)) return {*list};
  if (const auto one = metadata.integer(key)) return {{*one}};
  return {};
}

// Unchecked numbers of a file: a product that overflows int64 counts as unknown.
int64_t product(std::initializer_list<int64_t> factors) {
  int64_t result = 1;
  for (const int64_t factor : factors)
    if (factor < 0 || __builtin_mul_overflow(result, factor, &result)) return 0;
  return result;
}

constexpr int64_t kMaxLayers = 100000;
constexpr int64_t kCacheElement = 2;  // bf16

void read_dimensions(const WeightSource& source, ModelSummary& summary) {
  const Metadata& metadata = source.metadata();
  const auto key = [&](const char* name) { return source.architecture() + "." + name; };
  const struct {
    const char* name;
    int64_t ModelSummary::*field;
  } rows[] = {{"context_length", &ModelSummary::context},
              {"block_count", &ModelSummary::n_layers},
              {"embedding_length", &ModelSummary::width},
              {"expert_count", &ModelSummary::n_experts}};
  for (const auto& row : rows) summary.*row.field = metadata.integer(key(row.name)).value_or(0);
  const PerLayer heads = per_layer(metadata, key("attention.head_count"));
  PerLayer kv_heads = per_layer(metadata, key("attention.head_count_kv"));
  if (kv_heads.values.empty()) kv_heads = heads;
  summary.ffn = per_layer(metadata, key("feed_forward_length")).largest();
  summary.n_heads = heads.largest();
  summary.n_kv_heads = kv_heads.largest();
  const int64_t share = summary.n_heads > 0 ? summary.width / summary.n_heads : 0;
  const int64_t key_dim = metadata.integer(key("attention.key_length")).value_or(share);
  const int64_t value_dim = metadata.integer(key("attention.value_length")).value_or(share);
  summary.head_dim = key_dim;
  for (int64_t i = 0; i < std::min(summary.n_layers, kMaxLayers); ++i) {
    const int64_t layer = product({kv_heads.at(i), key_dim, kCacheElement});
    const int64_t values = product({kv_heads.at(i), value_dim, kCacheElement});
    if (__builtin_add_overflow(summary.cache_bytes_per_token, layer,
                               &summary.cache_bytes_per_token) ||
        __builtin_add_overflow(summary.cache_bytes_per_token, values,
                               &summary.cache_bytes_per_token))
      summary.cache_bytes_per_token = 0;
  }
}

void count_types(const WeightSource& source, ModelSummary& summary) {
  std::map<Dtype, TypeUse> uses;
  for (const Weight& weight : source.weights()) {
    TypeUse& use = uses[weight.dtype];
    int64_t elements = 1;
    for (const int64_t dim : weight.dims) elements *= dim;  // checked by the reader
    use.dtype = weight.dtype;
    use.tensors += 1;
    use.elements += elements;
    use.bytes += static_cast<int64_t>(weight.data.size());
    summary.n_parameters += elements;
    summary.weight_bytes += static_cast<int64_t>(weight.data.size());
  }
  for (const auto& [dtype, use] : uses) summary.types.push_back(use);
  std::stable_sort(summary.types.begin(), summary.types.end(),
                   [](const TypeUse& a, const TypeUse& b) { return a.bytes > b.bytes; });
}

void read_tokenizer(const Metadata& metadata, TokenizerSummary& tokenizer) {
  tokenizer.kind = metadata.text("tokenizer.ggml.model").value_or("");
  tokenizer.pre = metadata.text("tokenizer.ggml.pre").value_or("");
  if (const auto* tokens = metadata.get<StringArray>("tokenizer.ggml.tokens"))
    tokenizer.n_tokens = static_cast<int64_t>(tokens->size());
  if (const auto* merges = metadata.get<StringArray>("tokenizer.ggml.merges"))
    tokenizer.n_merges = static_cast<int64_t>(merges->size());
  for (const char* name :
       {"bos", "eos", "eot", "eom", "unknown", "padding", "seperator", "cls", "mask"})
    if (const auto id = metadata.integer(fmt::format("tokenizer.ggml.{}_token_id", name)))
      tokenizer.special[name] = *id;
}

void read_ends(const WeightSource& source, TokenizerSummary& tokenizer) {
  const auto vocabulary = read_vocabulary(source);
  if (!vocabulary) return;
  std::vector<std::string> ignored;
  const auto defaults = GenerationDefaults::read(source.metadata(), source.path(), ignored);
  for (const EndToken& end : all_ends(*vocabulary, defaults))
    tokenizer.ends.push_back({end.id, vocabulary->tokens[end.id], end.why});
}

std::string token_text(const Metadata& metadata, const TokenizerSummary& tokenizer,
                       const char* name) {
  const auto* tokens = metadata.get<StringArray>("tokenizer.ggml.tokens");
  const auto id = tokenizer.special.find(name);
  if (!tokens || id == tokenizer.special.end()) return {};
  if (id->second < 0 || id->second >= static_cast<int64_t>(tokens->size())) return {};
  return std::string(tokens->at(static_cast<size_t>(id->second)));
}

void read_template(const Metadata& metadata, ModelSummary& summary) {
  summary.chat_template.source = metadata.text("tokenizer.chat_template").value_or("");
  if (summary.chat_template.source.empty()) return;
  const auto parsed = ChatTemplate::parse(summary.chat_template.source,
                                          token_text(metadata, summary.tokenizer, "bos"),
                                          token_text(metadata, summary.tokenizer, "eos"));
  if (!parsed) summary.chat_template.error = to_string(parsed.error());
}

// Why this build cannot run the model; empty: the file's head shows no reason.
std::string obstacle(const WeightSource& source) {
  if (const auto family = find_family(source); !family) return to_string(family.error());
  for (const Weight& weight : source.weights())
    if (!find_format(weight.dtype))
      return fmt::format("{} is of type {}", weight.name, info(weight.dtype).name);
  const auto config = read_config(source);
  if (!config) return to_string(config.error());
  const auto graph = build_graph(source, *config);
  return graph ? std::string() : to_string(graph.error());
}

}  // namespace

double ModelSummary::bits_per_weight() const {
  return n_parameters > 0
             ? 8.0 * static_cast<double>(weight_bytes) / static_cast<double>(n_parameters)
             : 0;
}

ModelSummary summarize(const WeightSource& source) {
  ModelSummary summary;
  summary.path = source.path();
  summary.format = source.format();
  summary.architecture = source.architecture();
  summary.name = source.metadata().text("general.name").value_or("");
  summary.file_bytes = source.file_bytes();
  read_dimensions(source, summary);
  count_types(source, summary);
  read_tokenizer(source.metadata(), summary.tokenizer);
  read_ends(source, summary.tokenizer);
  read_template(source.metadata(), summary);
  summary.why_not = obstacle(source);
  summary.runs = summary.why_not.empty();
  return summary;
}

}  // namespace quern::cli
