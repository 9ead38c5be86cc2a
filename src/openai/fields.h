// The fields of a request body: one row each, which is the name, the endpoints that have it, where
// the value goes and what it may be.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "openai/request.h"

namespace quern::openai {

// For what is not a plain value. Errors: invalid_argument; `where` is filled in by the caller.
using ReadField = Result<> (*)(const Json& value, Request& request);
// Is of no meaning to an answer; taken and left.
struct Bookkeeping {};
// OpenAI's API has it and Quern does not: refused as unknown fields are, unless it is null.
struct Unsupported {};

using Target =
    std::variant<float SamplingOptions::*, int SamplingOptions::*, bool SamplingOptions::*,
                 int GenerateOptions::*, int64_t GenerateOptions::*, std::string GenerateOptions::*,
                 ReadField, Bookkeeping, Unsupported>;

struct Field {
  const char* name;
  int endpoints;  // a set of Endpoint
  Target target;
  double least = 0, most = 0;  // of numbers; of texts: bytes
  bool written = true;         // by options_json; not where two names mean the same
};

// Read in this order: a later one may build on an earlier one.
std::span<const Field> fields();

// Reads a plain value. Errors: invalid_argument (what it must be).
Result<> read_field(const Field& field, const Json& value, Request& request);

}  // namespace quern::openai
