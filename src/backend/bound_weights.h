// The weights that a graph names, found in the model's file and of the shapes that the graph needs.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "formats/weight_source.h"
#include "quant/format.h"

namespace quern {

struct BoundWeight {
  QuantMatrix matrix;
  const Format* format = nullptr;
};

struct BoundWeights {
  std::shared_ptr<const WeightSource> source;             // what the matrices view
  std::unordered_map<std::string, BoundWeight> matrices;  // (n_out, n_in)
  // Norm weights, biases, rope factors, factors of whole rows: one row each.
  std::unordered_map<std::string, BoundWeight> vectors;
};

}  // namespace quern
