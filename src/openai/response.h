// The engine's answers as OpenAI's response bodies.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "openai/json.h"
#include "openai/request.h"

namespace quern::openai {

struct Answered {
  std::string id;                          // "chatcmpl-..."
  int64_t created = 0;                     // seconds since 1970
  std::string model;                       // the name that answers carry
  std::span<const int64_t> prompt_tokens;  // of each prompt
  // Of the first prompt options.n answers, then of the next.
  std::span<const Generation> generations;
  std::span<const Answer> answers;  // of a chat: each generation taken apart
};

// A chat.completion or a text_completion. Bytes that are no UTF-8 stay as they are: dump with
// Json::error_handler_t::replace.
Json response_json(const Model& model, const Request& request, const Answered& answered);

// {"message", "type", "param", "code"}; param is error.where.
Json error_json(const Error& error);
int http_status(Code code);
const char* error_code(Code code);  // "invalid_request", ...

}  // namespace quern::openai
