// The summary that `inspect` prints, from a file's metadata and tensor list alone: it works on
// architectures the engine cannot run.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "cli/json_output.h"
#include "formats/weight_source.h"

namespace quern::cli {

struct TypeUse {
  Dtype dtype;
  int64_t tensors = 0, elements = 0, bytes = 0;
};

struct EndSummary {
  int64_t id;
  std::string text, why;
};

struct TokenizerSummary {
  std::string kind, pre;  // "gpt2", "smollm"; empty where the file does not say
  int64_t n_tokens = 0, n_merges = 0;
  std::map<std::string, int64_t> special;  // "bos" -> id
  std::vector<EndSummary> ends;            // tokens that end a turn; none where it cannot be read
};

struct TemplateSummary {
  std::string source;  // empty: none
  std::string error;   // why it does not parse; empty: it does
};

// Dimensions are 0 where the file does not say. Where layers differ (a list in the file) the
// largest stands here; the cache is summed layer by layer.
struct ModelSummary {
  std::string path, format, architecture, name;
  bool runs = false;    // this build has the family and every tensor's type
  std::string why_not;  // what is missing, where runs is false
  int64_t file_bytes = 0, weight_bytes = 0, n_parameters = 0;
  int64_t context = 0, n_layers = 0, width = 0, ffn = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0,
          n_experts = 0;
  int64_t cache_bytes_per_token = 0;  // keys and values in bf16
  std::vector<TypeUse> types;         // by bytes, largest first
  TokenizerSummary tokenizer;
  TemplateSummary chat_template;

  double bits_per_weight() const;
};

ModelSummary summarize(const WeightSource& source);

}  // namespace quern::cli
