#include "api/message_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "text/utf8_stream.h"

namespace quern {
namespace {

Error wrong(std::string what, std::string where) {
  return {Code::invalid_argument, std::move(what), std::move(where), ""};
}

Error wrong_type(const Json& value, std::string_view name, std::string_view wanted) {
  return wrong(std::string(name) + " is a value of type " + value.type_name() + ", not " +
                   std::string(wanted),
               "." + std::string(name));
}

// A member of an object; null where it is not there, or is null.
const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

Error other_than_text(std::string_view type) {
  return {
      Code::invalid_argument,
      "a part of type \"" + c_api::short_name(type) + "\" in the content, which can be text only",
      "", "give the part as {\"type\": \"text\", \"text\": ...}, or leave it out"};
}

Error at_place(Error error, const std::string& place) {
  error.where = place + error.where;
  return error;
}

// A text, or a list of parts {"type": "text", "text": ...}, which follow each other.
Result<> read_content(const Json& content, Message& message) {
  if (content.is_string()) return message.content = content.get<std::string>(), Ok{};
  if (content.is_null()) return message.content_null = true, Ok{};
  if (!content.is_array()) return wrong_type(content, "content", "text or a list of parts");
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string place = ".content[" + std::to_string(i) + "]";
    const Json *type = member(content[i], "type"), *text = member(content[i], "text");
    if (!type || !type->is_string()) return wrong("a part of the content has no type", place);
    if (*type != "text") return at_place(other_than_text(type->get<std::string>()), place);
    if (!text || !text->is_string()) return wrong("a text part of the content has no text", place);
    message.content += text->get_ref<const std::string&>();
  }
  return Ok{};
}

// The object that `arguments` is the text of.
Result<Json> arguments_object(std::string_view arguments) {
  auto value = c_api::parse_json(arguments.empty() ? "{}" : arguments, "");
  if (!value) return wrong("arguments of a call in tool_calls: " + value.error().what, "");
  if (!value->is_object()) return wrong("arguments of a call in tool_calls are no JSON object", "");
  return value;
}

// OpenAI's API has the arguments as JSON text, transformers as an object: both are taken.
Result<ToolCall> read_tool_call(const Json& value) {
  const Json *type = member(value, "type"), *function = member(value, "function");
  if (type && *type != "function")
    return wrong("a call in tool_calls is not of a function", ".type");
  const Json* name = function ? member(*function, "name") : nullptr;
  if (!name || !name->is_string())
    return wrong("a call in tool_calls has no function with a name", ".function");
  ToolCall call{.name = name->get<std::string>()};
  if (const Json* id = member(value, "id")) {
    if (!id->is_string()) return wrong("the id of a call in tool_calls is not text", ".id");
    call.id = id->get<std::string>();
  }
  const Json* arguments = member(*function, "arguments");
  if (!arguments) return call;
  call.arguments_first = arguments < name;
  call.arguments = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
  if (const auto object = arguments_object(call.arguments); !object)
    return wrong(object.error().what, ".function.arguments");
  return call;
}

Result<> read_tool_calls(const Json& value, Message& message) {
  if (!value.is_array()) return wrong_type(value, "tool_calls", "a list");
  for (size_t i = 0; i < value.size(); ++i) {
    auto call = read_tool_call(value[i]);
    if (!call) return at_place(call.error(), ".tool_calls[" + std::to_string(i) + "]");
    message.tool_calls.push_back(std::move(*call));
  }
  return Ok{};
}

template <std::string Message::*kMember>
Result<> read_text(const Json& value, Message& message, std::string_view name) {
  if (!value.is_string()) return wrong_type(value, name, "text");
  message.*kMember = value.get<std::string>();
  return Ok{};
}

constexpr MessageMember kMembers[] = {
    {"content", read_content},
    {"name", [](const Json& v, Message& m) { return read_text<&Message::name>(v, m, "name"); }},
    {"tool_calls", read_tool_calls},
    {"tool_call_id",
     [](const Json& v, Message& m) {
       return read_text<&Message::tool_call_id>(v, m, "tool_call_id");
     }},
    {"reasoning_content",
     [](const Json& v, Message& m) {
       return read_text<&Message::reasoning_content>(v, m, "reasoning_content");
     }},
};

// The members that a template sees, in their order of old.
Json plain_members(const Message& message) {
  Json object = Json::object();
  if (message.content_first) object["content"] = nullptr;  // its place
  object["role"] = to_valid_utf8(message.role);
  object["content"] = nullptr;
  if (!message.content_null || !message.content.empty() || !message.parts.empty()) {
    std::string content = message.content;
    for (const ContentPart& part : message.parts) content += part.text;
    object["content"] = to_valid_utf8(content);
  }
  const std::pair<const char*, const std::string&> kTexts[] = {
      {"reasoning_content", message.reasoning_content},
      {"tool_call_id", message.tool_call_id},
      {"name", message.name}};
  for (const auto& [name, text] : kTexts)
    if (!text.empty()) object[name] = to_valid_utf8(text);
  return object;
}

Json in_order(Json object, const std::vector<std::string>& order) {
  Json ordered = Json::object();
  for (const std::string& key : order)
    if (const auto at = object.find(key); at != object.end() && !ordered.contains(key))
      ordered[key] = std::move(*at);
  for (auto& [key, value] : object.items())
    if (!ordered.contains(key)) ordered[key] = std::move(value);
  return ordered;
}

// `arguments` as the object holds them.
Json call_object(const ToolCall& call, Json arguments) {
  Json function = Json::object();
  if (call.arguments_first) function["arguments"] = nullptr;  // its place
  function["name"] = to_valid_utf8(call.name);
  function["arguments"] = std::move(arguments);
  Json object = Json::object();
  if (!call.id.empty()) object["id"] = to_valid_utf8(call.id);
  object["type"] = "function";
  object["function"] = std::move(function);
  return object;
}

Result<Json> template_message(const Message& message, const TemplateForm& form) {
  for (const ContentPart& part : message.parts)
    if (part.type != "text") return other_than_text(part.type);
  Json object = plain_members(message);
  for (const ToolCall& call : message.tool_calls) {
    TRY(Json arguments, arguments_object(call.arguments));
    if (form.arguments_as_text) arguments = arguments.dump();
    object["tool_calls"].push_back(call_object(call, std::move(arguments)));
  }
  const bool said = object["content"].is_string() && object["content"] != "";
  if (form.one_before_calls && said && !message.tool_calls.empty())
    object.erase("reasoning_content");
  return in_order(std::move(object), message.key_order);
}

}  // namespace

const MessageMember* find_message_member(std::string_view name) {
  if (name == "reasoning") name = "reasoning_content";  // as newer servers call it
  const auto* at = std::ranges::find(kMembers, name, &MessageMember::name);
  return at == std::end(kMembers) ? nullptr : at;
}

Result<> finish_message(const Json& object, Message& message) {
  if (message.tool_calls.empty() && message.content_null)
    return wrong_type(nullptr, "content", "text or a list of parts");
  bool content = false, role = false, more = false;
  for (const auto& [key, value] : object.items()) {
    const MessageMember* known = find_message_member(key);
    message.content_first |= key == "content" && !role;
    content |= key == "content", role |= key == "role";
    if (key != "role" && (!known || (value.is_null() && key != "content"))) continue;
    message.key_order.emplace_back(known ? known->name : key);
    more |= key != "role" && key != "content";
  }
  if (!more) message.key_order.clear();
  if (!content && message.tool_calls.empty()) return wrong("a message has no \"content\"", "");
  message.content_null |= !content;
  return Ok{};
}

Result<std::string> template_messages(std::span<const Message> messages, const TemplateForm& form) {
  Json list = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    auto object = template_message(messages[i], form);
    if (!object) return at_place(object.error(), "messages[" + std::to_string(i) + "]");
    list.push_back(std::move(*object));
  }
  return list.dump();
}

Json openai_message(const Message& message) {
  Json object = plain_members(message);
  for (const ToolCall& call : message.tool_calls) {
    const std::string arguments = call.arguments.empty() ? "{}" : call.arguments;
    object["tool_calls"].push_back(call_object(call, to_valid_utf8(arguments)));
  }
  return in_order(std::move(object), message.key_order);
}

Result<std::string> read_tools(const Json& value) {
  if (!value.is_array()) return wrong_type(value, "tools", "a list");
  for (size_t i = 0; i < value.size(); ++i) {
    const Json *type = member(value[i], "type"), *function = member(value[i], "function");
    const Json* name = function ? member(*function, "name") : nullptr;
    if (type && *type == "function" && name && name->is_string()) continue;
    return wrong("each of tools must be {\"type\": \"function\", \"function\": {\"name\", ...}}",
                 ".tools[" + std::to_string(i) + "]");
  }
  return value.empty() ? std::string() : value.dump();
}

Result<> check_template_kwargs(std::string_view kwargs) {
  constexpr std::string_view kName = "chat_template_kwargs";
  TRY(const Json value, c_api::parse_json(kwargs, kName));
  if (!value.is_object())
    return wrong("variables of the template are not a JSON object", std::string(kName));
  for (const char* given : {"messages", "tools", "documents", "add_generation_prompt"})
    if (value.contains(given))
      return wrong(std::string(given) + " is given to the template by Quern", std::string(kName));
  return Ok{};
}

}  // namespace quern
