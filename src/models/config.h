// A model's dimensions, filled from GGUF keys by one table (models/config.cc).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/weight_source.h"

namespace quern {

// What may differ from layer to layer.
struct LayerConfig {
  int ffn = 0, n_heads = 0, n_kv_heads = 0;
};

struct Config {
  int n_vocab = 0, n_layers = 0, width = 0;
  int ffn = 0, n_heads = 0, n_kv_heads = 0;  // of the layer that has most
  int head_dim = 0;                          // apart from width / n_heads where the file says so
  int rotated = 0;                           // dims of a head that rope turns
  int context = 0;                           // tokens the model was trained for
  int window = 0;                            // sliding window in tokens; 0: none
  float epsilon = 1e-5f;                     // of RMS norms
  float rope_theta = 10000;
  float rope_scale = 1;  // linear scaling: positions are divided by it
  bool tied_head = false;
  std::vector<LayerConfig> layers;  // (n_layers)
};

// Errors: corrupt (missing or out-of-range key: named), unsupported (a scaling this build lacks,
// values that differ from layer to layer where this build supports one for all).
Result<Config> read_config(const WeightSource& source);

// The keys that read_config reads, without the architecture's name before them.
std::vector<std::string> config_keys();

}  // namespace quern
