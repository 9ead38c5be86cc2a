// OpenAI's request bodies as what the engine is asked. docs/openai.md lists the fields.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "openai/json.h"
#include "options/schema.h"
#include "quern/model.h"

namespace quern::openai {

enum class Endpoint : uint8_t { chat_completions = 1, completions = 2 };  // bits of a set
const char* path(Endpoint endpoint);                                      // "/v1/chat/completions"
std::optional<Endpoint> endpoint_of(std::string_view path);

using Prompt = std::variant<std::string, std::vector<int32_t>>;

struct Request {
  Endpoint endpoint = Endpoint::chat_completions;
  std::string model;              // as named by the caller; empty: not named
  std::vector<Message> messages;  // of chat_completions
  ChatOptions chat;               // of chat_completions: tools, variables of the template
  ToolOptions tools;              // ... and how they are used; its `tools` are those of `chat`
  std::vector<std::string> custom_tools;  // of them those whose input is text: functions of "input"
  std::vector<std::string> notes;         // what of the request is left out, a sentence each
  std::vector<Prompt> prompts;            // of completions
  bool stream = false;
  GenerateOptions options;  // options.n answers to each prompt
};

inline constexpr int kMostPrompts = 128, kMostAnswers = 128;  // of one request

// What the body leaves out (or gives as null) is as in `defaults`. Errors: invalid_argument, whose
// `where` names the field.
Result<Request> read_request(Endpoint endpoint, const Json& body, const GenerateOptions& defaults,
                             const options::Schema& schema = options::schema());

// The prompts as token ids: of a chat one, by the model's template. Control tokens count as such in
// the text of a completion, where the caller writes the template; not in messages. Errors: as
// Model::tokenize and Model::chat_prompt.
Result<std::vector<std::vector<int32_t>>> prompt_ids(const Model& model, const Request& request);

// options, with the grammar that the tools ask for. Errors: as Model::tool_grammar.
Result<GenerateOptions> answer_options(const Model& model, const Request& request,
                                       std::span<const int32_t> prompt);

// A request's fields for these options (sampling, limits, stop strings, a JSON schema), such as
// read_request reads back.
Json options_json(const GenerateOptions& options,
                  const options::Schema& schema = options::schema());
Json messages_json(const std::vector<Message>& messages);

}  // namespace quern::openai
