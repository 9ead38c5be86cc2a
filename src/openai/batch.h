// The lines of OpenAI's batch files: requests in, answers out, matched by custom_id.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "openai/request.h"

namespace quern::openai {

struct BatchLine {
  std::string custom_id;
  Result<Request> request;  // errors name their field in `where`
};

// {"custom_id", "method": "POST", "url", "body"}. Where the body has no seed, it is made of
// defaults' and the custom_id, so that equal bodies get different answers and a second run repeats
// the first. Errors: invalid_argument (nothing that has a custom_id).
Result<BatchLine> read_batch_line(std::string_view text, const GenerateOptions& defaults);

// Identifies one line of the output. custom_id is empty where the input line had no usable one;
// then `line` identifies it.
struct BatchKey {
  std::string id, request_id;  // of this answer, unique
  std::string custom_id;
  int64_t line = 0;  // from 1
};

Json batch_answer(const BatchKey& key, Json body);
Json batch_failure(const BatchKey& key, const Error& error);

// The custom_id or the line number of an output line. Errors: invalid_argument (not an output
// line).
struct BatchFound {
  std::string custom_id;
  int64_t line = 0;
  bool failed = false;
};
Result<BatchFound> read_batch_output(std::string_view text);

}  // namespace quern::openai
