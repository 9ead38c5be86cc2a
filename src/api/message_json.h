// Messages as JSON: read as OpenAI's API has them, written as chat templates take them.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "api/c_api/json_text.h"
#include "base/result.h"
#include "quern/chat.h"

namespace quern {

using Json = c_api::Json;

// A member of a message beside its role. Errors: invalid_argument, whose `where` is the place
// behind the message's, ".tool_calls[1].function".
struct MessageMember {
  std::string_view name;
  Result<> (*read)(const Json& value, Message& message);
};
// null: none of this name.
const MessageMember* find_message_member(std::string_view name);

// Notes where `message` (an object, whose members were read) has its members. Errors: as above
// (nothing is said in it: content is missing or null, and there are no tool calls).
Result<> finish_message(const Json& object, Message& message);

// What some templates want of messages.
struct TemplateForm {
  bool arguments_as_text = false;  // of calls: as JSON text
  bool one_before_calls = false;  // what was said before a call takes the place of what was thought
};

// The list that ChatTemplate::render takes; a call's arguments are an object, as transformers'
// templates expect. Bytes that are not UTF-8 become U+FFFD. Errors: invalid_argument (a part that
// is no text, by its type; arguments that are no JSON object).
Result<std::string> template_messages(std::span<const Message> messages,
                                      const TemplateForm& form = {});

// A message as OpenAI's API has it: a call's arguments are JSON text.
Json openai_message(const Message& message);

// ChatOptions::tools of OpenAI's list. Errors: as of a member.
Result<std::string> read_tools(const Json& value);

// ChatOptions::template_kwargs must be a JSON object that names nothing a template is given anyway,
// such as "messages". Errors: invalid_argument.
Result<> check_template_kwargs(std::string_view kwargs);

}  // namespace quern
