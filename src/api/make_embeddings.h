// Model::embed: options checked, the file's own pooling, room for the result.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/embed.h"
#include "formats/weight_source.h"
#include "quern/embeddings.h"

namespace quern {

// What <architecture>.pooling_type of a GGUF file says (1 mean, 2 cls, 3 last); where it is absent
// or 0 (none), last. Errors: unsupported (another kind, as rerankers have).
Result<Pooling> pooling_of(const WeightSource& source);

// advance: calls Embedding::advance when the engine has time for it. Errors: see Model::embed.
Result<Embeddings> make_embeddings(Executor& executor, int context,
                                   const Result<Pooling>& pooling_of_file,
                                   std::span<const std::vector<int32_t>> texts,
                                   const EmbedOptions& options,
                                   const std::function<Result<>(Embedding&)>& advance);

}  // namespace quern
