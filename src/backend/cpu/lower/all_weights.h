// For tests of the CPU's lowering without the compiler's bind.
#pragma once
#include <memory>
#include <utility>

#include "backend/bound_weights.h"
#include "formats/weight_source.h"
#include "quant/format.h"

namespace quern::cpu {

// Every weight of a model by the graph's names, as the compiler's bind finds them.
inline BoundWeights all_weights(std::shared_ptr<const WeightSource> source) {
  BoundWeights bound;
  for (const Weight& w : source->weights()) {
    const BoundWeight weight = {{w.dtype, w.dims.size() > 1 ? w.n_rows() : 1, w.n_cols(), w.data},
                                find_format(w.dtype)};
    (w.dims.size() > 1 ? bound.matrices : bound.vectors)[w.name] = weight;
  }
  bound.source = std::move(source);
  return bound;
}

}  // namespace quern::cpu
