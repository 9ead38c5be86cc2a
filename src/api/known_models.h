// Models with known names, and the place of their files: the folder `models` of
// user_cache_folder().
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern {

std::vector<std::string_view> known_model_names();  // the first is the default
bool is_known_model(std::string_view name);

// The path of the default model, whether the file exists or not.
std::string default_model_path();

// From a typed name to an existing path: a known name, else a file or folder; empty is the default
// model. A file with the name of a known model is reached as ./name.
// Errors: not_found, with how to get it.
Result<std::string> resolve_model(const std::string& model);

}  // namespace quern
