// Models that have a name, and where their files lie: in the folder `models` of
// user_cache_folder().
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern {

std::vector<std::string_view> known_model_names();  // the first is the default
bool is_known_model(std::string_view name);

// Where the default model lies, or would lie.
std::string default_model_path();

// From what a person typed to a path that is there: a known name, else a file or folder; empty is
// the default model. A file that is called like a known model is reached as ./name.
// Errors: not_found, with how to get it.
Result<std::string> resolve_model(const std::string& model);

}  // namespace quern
