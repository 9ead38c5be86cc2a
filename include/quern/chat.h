// A conversation, as a chat template is given it.
#pragma once
#include <string>
#include <vector>

namespace quern {

// A part of a message's content. Text alone can be given; images ("image_url"), audio
// ("input_audio") and whatever else are refused by their type.
struct ContentPart {
  std::string type = "text";
  std::string text = {};
};

// What an assistant's message asks to be called.
struct ToolCall {
  std::string id = {};  // a result names it: Message::tool_call_id; may be empty
  std::string name = {};
  std::string arguments = {};    // a JSON object, which templates are given as such; empty: {}
  bool arguments_first = false;  // before the name, as Message::content_first
};

// Members that are empty are not there for the template, but for role and content.
struct Message {
  std::string role = {}, content = {};
  // The order of the two in the object that a template is given: one that prints its messages as
  // JSON shows it.
  bool content_first = false;
  bool content_null = false;  // content is none: a message that has tool calls and says nothing
  std::vector<ContentPart> parts = {};  // behind content, one after the other
  std::string reasoning_content = {};   // what an answer's model thought before it
  std::vector<ToolCall> tool_calls = {};
  std::string tool_call_id = {};  // of role "tool": the call whose result content is
  std::string name = {};          // of who speaks, or of the tool
  // All members in the order in which the caller wrote them, where there are more than role and
  // content; those left out come last.
  std::vector<std::string> key_order = {};
};

struct ChatOptions {
  bool special = false;  // control tokens typed inside messages count as such
  // A JSON array of tools as OpenAI's API has them: {"type": "function", "function": {"name",
  // "description", "parameters"}}. Empty: none.
  std::string tools = {};
  // A JSON object of further variables of the template: {"enable_thinking": false}. Empty: none.
  std::string template_kwargs = {};
};

}  // namespace quern
