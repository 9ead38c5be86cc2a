// A model family: its architecture names and its graph. One per file, listed in models/list.cc.
#pragma once
#include <span>
#include <string_view>

#include "formats/weight_source.h"
#include "models/config.h"
#include "models/key_rules.h"
#include "nn/blocks.h"

namespace quern {

// The results of a forward pass, for the rows that are used.
struct Outputs {
  Value hidden;  // behind the last norm: what the head reads, and embeddings are made of
  Value logits;
};

struct Family {
  const char* gguf;  // general.architecture
  Outputs (*build)(const Config&, Builder);
  // Rules for keys of this family alone; they take precedence over those for all
  // (models/key_rules.h).
  std::span<const KeyRule> keys = {};
};

// The usual end: picks the used rows of x, output_norm, and the head (that of the embedding where
// the file has none of its own).
Outputs outputs(const Config& config, Builder b, Value x);

std::span<const Family* const> families();

// Errors: unsupported (the architecture, with the known ones; a companion file that is not a
// model), corrupt (no architecture).
Result<const Family*> find_family(const WeightSource& source);

// Attention of a layer by the config's dimensions; rope by halves, the order of most families.
AttentionSpec attention_spec(const Config& config, int layer);

// The graph of a model's forward pass. Errors: unsupported (architecture, with the known ones; a
// key or a tensor that would change results and has no part in the graph), corrupt (config).
Result<Graph> build_graph(const WeightSource& source, const Config& config);

}  // namespace quern
