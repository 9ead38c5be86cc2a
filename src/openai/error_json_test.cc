#include <gtest/gtest.h>

#include <string>

#include "openai/response.h"

namespace quern::openai {
namespace {

struct Row {
  Code code;
  int status;
  const char *type, *name;
};

TEST(OpenaiError, CodesAreOpenais) {
  for (const Row& row :
       {Row{Code::context_too_long, 400, "invalid_request_error", "context_length_exceeded"},
        Row{Code::invalid_argument, 400, "invalid_request_error", "invalid_request"},
        Row{Code::out_of_memory, 400, "invalid_request_error", "out_of_memory"},
        Row{Code::queue_full, 429, "rate_limit_error", "rate_limit_exceeded"},
        Row{Code::unavailable, 503, "server_error", "unavailable"},
        Row{Code::corrupt, 500, "server_error", "server_error"}}) {
    EXPECT_EQ(http_status(row.code), row.status) << row.name;
    const Json json = error_json({row.code, "what", "field", "do this"});
    EXPECT_EQ(json["message"], "what; do this");
    EXPECT_EQ(json["type"], row.type);
    EXPECT_EQ(json["param"], "field");
    EXPECT_EQ(json["code"], row.name);
  }
}

}  // namespace
}  // namespace quern::openai
