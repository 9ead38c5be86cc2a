// Which model may guess for which (LoadOptions::draft_model).
#pragma once
#include "base/result.h"
#include "formats/weight_source.h"
#include "text/vocabulary.h"

namespace quern {

// Whether a token means the same to both: the ids that both have are spelled alike, and begin and
// end texts alike. As files of one family are filled up differently, one may have a few more.
// Vocabularies that were not found are taken for equal where the models have as many ids.
// Errors: invalid_argument, which names both files and what differs; those of the vocabularies.
Result<> check_same_tokens(const WeightSource& model, const Result<Vocabulary>& its,
                           const WeightSource& draft);

}  // namespace quern
