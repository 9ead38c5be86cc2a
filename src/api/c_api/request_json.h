// Requests of C programs, as JSON (quern/quern.h has the fields).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/c_api/json_text.h"
#include "base/result.h"
#include "options/schema.h"
#include "quern/model.h"

namespace quern::c_api {

using Ids = std::vector<int32_t>;
using Messages = std::vector<Message>;

struct GenerateRequest {
  std::variant<Ids, std::string, Messages> prompt;
  bool special = false;                // control tokens typed in text count as such
  std::string tools, template_kwargs;  // of a conversation, as ChatOptions has them
  GenerateOptions options;
};

struct EmbedRequest {
  std::vector<std::variant<Ids, std::string>> texts;
  EmbedOptions options;
};

// All errors are invalid_argument and name the field.
Result<GenerateRequest> read_request(std::string_view json,
                                     const options::Schema& schema = options::schema());
Result<EmbedRequest> read_embed_request(std::string_view json);
// The callbacks stay empty.
Result<LoadOptions> read_load_options(std::string_view json,
                                      const options::Schema& schema = options::schema());
// [{"role", "content"}, ...]
Result<Messages> read_messages(std::string_view json);
// {"messages", "special", "tools", "chat_template_kwargs"}
struct Conversation {
  Messages messages;
  ChatOptions options;
};
Result<Conversation> read_conversation(std::string_view json);

// {"load": {...}, "request": {...}, "embed": {...}}: each field that has a default, with it.
Json default_options(const options::Schema& schema = options::schema());

}  // namespace quern::c_api
