// The rule of the reader for tensors: each is named by the graph, known to be without effect, or
// refused by name.
#pragma once
#include "formats/weight_source.h"
#include "graph/graph.h"

namespace quern {

// Errors: unsupported (the tensor and what it would do).
Result<> check_tensors(const WeightSource& source, const Graph& graph);

}  // namespace quern
