// JSON text from outside: bounded before anything is built from it.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "options/json.h"

namespace quern::c_api {

// Fields stay in the order they were written. Looking one up by name takes time linear in their
// number, so nothing that reads a text may do it for each of its fields: parse_json does not.
using options::Json;
using options::short_name;

constexpr size_t kMaxJsonBytes = 16 << 20;
constexpr int kMaxJsonDepth = 64;

// `name` ("request") says in errors whose text it is. Errors: invalid_argument (too long, too deep,
// not UTF-8, not JSON: where; a field twice).
Result<Json> parse_json(std::string_view text, std::string_view name);

// On one line. Bytes that are not UTF-8 become U+FFFD; infinities and NaN null.
std::string to_text(const Json& value);

}  // namespace quern::c_api
