// Results for C programs, as JSON (quern/quern.h has the fields).
#pragma once
#include <string>

#include "quern/model.h"

namespace quern::c_api {

// Strings from files may not be UTF-8: such bytes become U+FFFD.
std::string info_json(const ModelInfo& info);
std::string counts_json(const EngineCounts& counts);
// with_logprobs: whether the request asked for them.
std::string piece_json(const Delta& delta, bool with_logprobs);
std::string embeddings_json(const Embeddings& embeddings);  // all but the values
std::string generation_json(const Generation& generation, bool with_logprobs);

}  // namespace quern::c_api
