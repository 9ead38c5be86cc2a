// Which tokens end a turn by their text, where a file's keys do not name them or its token types
// are wrong, as other engines have it.
#pragma once
#include <string_view>
#include <vector>

#include "api/generation_defaults.h"
#include "text/vocabulary.h"

namespace quern {

// One that is there already keeps its first reason.
void add_end(Vocabulary& vocabulary, int32_t id, std::string_view why);

// Adds the tokens whose text is known to end a turn, and makes them control tokens where the file
// says otherwise: a template that writes them means the token, and a user who types them does not.
//
// Left alone are those which are text in this vocabulary: its merges make them, or they are the
// markup "</s>" among other HTML tags (Gemma). A token of type control is never text.
//
// "<|end|>" ends a message but no turn where the vocabulary has the ends of turns of gpt-oss or
// Solar Open; it is taken out, whatever said so, unless it is eos.
void add_known_ends(Vocabulary& vocabulary);

// The vocabulary's, and those that a generation_config.json beside the model names; by id.
std::vector<EndToken> all_ends(const Vocabulary& vocabulary, const GenerationDefaults& defaults);

}  // namespace quern
