// What a chat's request says to its template: messages, tools, variables. Each reads the field of
// its name (fields.h).
#pragma once
#include "openai/request.h"

namespace quern::openai {

Result<> read_messages(const Json& value, Request& request);
// Functions stay as they are written; a namespace stands for its functions, a custom tool for a
// function of one text; tools that a server runs itself are left out, with a note.
Result<> read_tools(const Json& value, Request& request);
// Behind tools: "none" takes them out.
Result<> read_tool_choice(const Json& value, Request& request);
Result<> read_parallel_tool_calls(const Json& value, Request& request);
Result<> read_template_kwargs(const Json& value, Request& request);

}  // namespace quern::openai
