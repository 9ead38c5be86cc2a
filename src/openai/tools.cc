// Tools of a chat's request, and how its answer may use them.
#include <fmt/format.h>

#include <algorithm>

#include "api/message_json.h"
#include "openai/messages.h"

namespace quern::openai {

namespace {

constexpr int kMostTools = 512;

Error wrong(std::string must) { return {Code::invalid_argument, std::move(must), {}, {}}; }

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

// {"type": ..., "NAME": {"name": ...}}, or with the name beside the type, as the Responses API has
// it.
std::string name_of(const Json& tool, const char* kind) {
  const Json* inner = member(tool, kind);
  const Json* name = member(inner ? *inner : tool, "name");
  return name && name->is_string() ? name->get<std::string>() : "";
}

// A function whose one argument is the tool's input.
Json function_of_custom(const Json& tool, const std::string& name) {
  const Json* inner = member(tool, "custom");
  const Json* description = member(inner ? *inner : tool, "description");
  Json function = {{"name", name}};
  if (description) function["description"] = *description;
  function["parameters"] = {{"type", "object"},
                            {"properties", {{"input", {{"type", "string"}}}}},
                            {"required", {"input"}},
                            {"additionalProperties", false}};
  return {{"type", "function"}, {"function", std::move(function)}};
}

Result<> add_tool(const Json& tool, Json& list, Request& request, bool within) {
  const Json* type = member(tool, "type");
  if (!type || !type->is_string()) return wrong("must each have a type");
  if (list.size() >= kMostTools) return wrong(fmt::format("are more than {}", kMostTools));
  if (*type == "function") {
    list.push_back(tool);
  } else if (*type == "custom") {
    const std::string name = name_of(tool, "custom");
    if (name.empty()) return wrong("of type custom must have a name");
    request.custom_tools.push_back(name);
    list.push_back(function_of_custom(tool, name));
  } else if (*type == "namespace" && !within) {
    const Json* inner = member(tool, "tools");
    if (!inner || !inner->is_array()) return wrong("of type namespace must have tools");
    for (const Json& one : *inner) TRY_OK(add_tool(one, list, request, true));
  } else {
    request.notes.push_back(fmt::format("a tool of type \"{}\" is left out: Quern runs none itself",
                                        c_api::short_name(type->get<std::string>())));
  }
  return Ok{};
}

Result<std::string> named_tool(const Json& value) {
  for (const char* kind : {"function", "custom"})
    if (const Json* type = member(value, "type"); type && *type == kind)
      if (std::string name = name_of(value, kind); !name.empty()) return name;
  return wrong("must name a tool: {\"type\": \"function\", \"function\": {\"name\": ...}}");
}

// {"mode": "auto" or "required", "tools": [...]}
Result<> read_allowed(const Json& value, ToolOptions& tools) {
  const Json* inner = member(value, "allowed_tools");
  const Json& allowed = inner ? *inner : value;
  const Json *mode = member(allowed, "mode"), *list = member(allowed, "tools");
  if (!mode || (*mode != "auto" && *mode != "required"))
    return wrong("of allowed_tools must have the mode auto or required");
  if (!list || !list->is_array() || list->empty())
    return wrong("of allowed_tools must have a list of tools");
  tools.required = *mode == "required";
  for (const Json& tool : *list) {
    TRY(std::string name, named_tool(tool));
    tools.names.push_back(std::move(name));
  }
  return Ok{};
}

}  // namespace

Result<> read_tools(const Json& value, Request& request) {
  if (!value.is_array() || value.empty()) return wrong("must be a list of tools, not empty");
  Json list = Json::array();
  for (const Json& tool : value) TRY_OK(add_tool(tool, list, request, false));
  TRY(request.chat.tools, quern::read_tools(list));
  return Ok{};
}

Result<> read_tool_choice(const Json& value, Request& request) {
  if (request.chat.tools.empty() && request.notes.empty())
    return wrong(
        fmt::format("is not a field that {} supports without tools", path(request.endpoint)));
  if (value == "auto") return Ok{};
  if (value == "none") return request.chat.tools.clear(), Ok{};
  const bool required = value == "required";
  if (!required && !value.is_object())
    return wrong("must be none, auto, required or an object that names tools");
  if (request.chat.tools.empty())
    return wrong("asks for a call, and none of the tools can be called here");
  request.tools.required = true;
  if (required) return Ok{};
  if (const Json* type = member(value, "type"); type && *type == "allowed_tools")
    return read_allowed(value, request.tools);
  TRY(std::string name, named_tool(value));
  request.tools.names = {std::move(name)};
  return Ok{};
}

Result<> read_parallel_tool_calls(const Json& value, Request& request) {
  if (!value.is_boolean()) return wrong("must be true or false");
  request.tools.parallel = value.get<bool>();
  return Ok{};
}

}  // namespace quern::openai
