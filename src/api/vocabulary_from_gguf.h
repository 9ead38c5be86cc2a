// The tokenizer that a model file describes by its tokenizer.ggml.* keys.
#pragma once
#include <vector>

#include "base/result.h"
#include "formats/weight_source.h"
#include "text/vocabulary.h"

namespace quern {

// Errors: not_found (no tokenizer in the file), corrupt (a key of the wrong type, lengths that
// contradict each other, an id outside the vocabulary: the key is named).
Result<Vocabulary> read_vocabulary(const WeightSource& source);

// The tokens that end an answer: eos and end_of_turn, each once.
std::vector<int32_t> end_ids(const Vocabulary& vocabulary);

}  // namespace quern
