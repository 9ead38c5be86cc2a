// Which model may be the draft model of which (LoadOptions::draft_model).
#pragma once
#include "base/result.h"
#include "formats/weight_source.h"
#include "text/vocabulary.h"

namespace quern {

// Whether tokens mean the same to both: common ids have the same spelling, and the same ids begin
// and end texts. One may have a few more ids, since files of one family are padded differently.
// Vocabularies that were not found are taken for equal where the models have the same number of
// ids.
// Errors: invalid_argument, which names both files and what differs; those of the vocabularies.
Result<> check_same_tokens(const WeightSource& model, const Result<Vocabulary>& its,
                           const WeightSource& draft);

}  // namespace quern
