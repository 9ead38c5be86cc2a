// The tokenizer that a model file describes by its tokenizer.ggml.* keys.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/weight_source.h"
#include "text/vocabulary.h"

namespace quern {

// Errors: not_found (no tokenizer in the file), corrupt (a key of the wrong type, lengths that
// contradict each other: the key is named). Special ids outside the vocabulary are skipped, with
// one line for all of them in `notes` (may be null).
Result<Vocabulary> read_vocabulary(const WeightSource& source,
                                   std::vector<std::string>* notes = nullptr);

// The tokens that end an answer, ascending, each once.
std::vector<int32_t> end_ids(const Vocabulary& vocabulary);

}  // namespace quern
