// JSON from strangers, read within bounds.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace quern::openai {

using Json = nlohmann::ordered_json;  // keys stay in the order they were written

inline constexpr int kMaxDepth = 64;      // arrays and objects in each other
inline constexpr int kMaxMembers = 4096;  // of one object: finding one is a linear search

// One JSON value with white space around. Errors: invalid_argument (not UTF-8, not JSON with the
// byte, beyond the bounds).
Result<Json> parse_json(std::string_view text);

}  // namespace quern::openai
