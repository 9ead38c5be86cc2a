// A model family: its names in the wild and its graph. One per file, listed in models/list.cc.
#pragma once
#include <span>
#include <string_view>

#include "formats/weight_source.h"
#include "models/config.h"
#include "nn/blocks.h"

namespace quern {

struct Family {
  const char* gguf;                        // general.architecture
  Value (*build)(const Config&, Builder);  // returns the logits
};

std::span<const Family* const> families();

// What the dimensions say about attention; rope by halves, the order of most families.
AttentionSpec attention_spec(const Config& config);

// The graph of a model's forward pass. Errors: unsupported (architecture, with the known ones),
// corrupt (config).
Result<Graph> build_graph(const WeightSource& source, const Config& config);

}  // namespace quern
