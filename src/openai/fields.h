// The fields of a request body that are no plain options, one row each: the name, the endpoints
// that have it and what reads it. Options come from their own rows (src/options).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "openai/request.h"

namespace quern::openai {

// Errors: invalid_argument; `where` is filled in by the caller.
using ReadField = Result<> (*)(const Json& value, Request& request);
// Is of no meaning to an answer; taken and left.
struct Bookkeeping {};
// OpenAI's API has it and Quern does not: refused as unknown fields are, unless it is null.
struct Unsupported {};

struct Field {
  const char* name;
  int endpoints;  // a set of Endpoint
  std::variant<ReadField, Bookkeeping, Unsupported> target;
};

// Read in this order: a later one may build on an earlier one.
std::span<const Field> fields();
const Field* find_field(std::string_view name);  // null: there is none

}  // namespace quern::openai
