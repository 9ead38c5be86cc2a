#include <iterator>
#include <string>
#include <utility>

#include "openai/response.h"

namespace quern::openai {

namespace {

struct ErrorRow {
  Code code;
  int status;
  const char* type;
  const char* name;
};
constexpr ErrorRow kErrors[] = {
    {Code::invalid_argument, 400, "invalid_request_error", "invalid_request"},
    {Code::unsupported, 400, "invalid_request_error", "unsupported"},
    {Code::not_found, 404, "invalid_request_error", "not_found"},
    {Code::context_too_long, 400, "invalid_request_error", "context_length_exceeded"},
    // What a request can run out of is a limit on itself: the size of a grammar, a template's
    // steps.
    {Code::out_of_memory, 400, "invalid_request_error", "out_of_memory"},
    {Code::cancelled, 499, "server_error", "cancelled"},
    {Code::queue_full, 429, "rate_limit_error", "rate_limit_exceeded"},
    {Code::unavailable, 503, "server_error", "unavailable"},
    {Code::corrupt, 500, "server_error", "server_error"},
};

const ErrorRow& row_of(Code code) {
  for (const ErrorRow& row : kErrors)
    if (row.code == code) return row;
  return kErrors[std::size(kErrors) - 1];
}

}  // namespace

Json error_json(const Error& error) {
  Json param = nullptr;
  if (!error.where.empty()) param = error.where;
  std::string message = error.what;
  if (!error.fix.empty()) message += "; " + error.fix;
  return {{"message", std::move(message)},
          {"type", row_of(error.code).type},
          {"param", std::move(param)},
          {"code", row_of(error.code).name}};
}

int http_status(Code code) { return row_of(code).status; }
const char* error_code(Code code) { return row_of(code).name; }

}  // namespace quern::openai
