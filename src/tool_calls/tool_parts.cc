#include "tool_calls/tool_parts.h"

#include <algorithm>
#include <array>

namespace quern {
namespace {

// Keywords that say nothing about which strings are allowed.
constexpr std::array kRemarks = {"type",     "title",    "description", "default",  "examples",
                                 "$comment", "nullable", "deprecated",  "readOnly", "writeOnly"};
// Keywords of an object that arguments between tags are held to.
constexpr std::array kHeld = {
    "type",    "title", "description",          "properties", "required", "$defs",  "definitions",
    "$schema", "$id",   "additionalProperties", "$comment",   "examples", "default"};

Error cannot(const Tool& tool, const std::string& keyword, const std::string& place) {
  return {Code::unsupported,
          "tool \"" + tool.name + "\" is strict, and \"" + keyword + "\" at " + place +
              " cannot be enforced where this model's template writes calls",
          "tools", "leave the keyword out, or do not ask for strict"};
}

const ToolJson* member(const ToolJson& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

// The schema of a part of the arguments, which may refer to the definitions of the whole.
ToolJson with_definitions(ToolJson schema, const ToolJson& root) {
  if (!schema.is_object()) return schema;
  for (const char* name : {"$defs", "definitions", "$schema"})
    if (const ToolJson* value = member(root, name); value && !schema.contains(name))
      schema[name] = *value;
  return schema;
}

ToolJson object_schema(const Tool& tool, bool enforced) {
  if (!enforced) return {{"type", "object"}};
  ToolJson schema = tool.parameters;
  if (!schema.contains("type")) schema["type"] = "object";
  return schema;
}

bool is_required(const Tool& tool, const std::string& name) {
  const ToolJson* required = member(tool.parameters, "required");
  return required && required->is_array() && std::ranges::count(*required, ToolJson(name)) > 0;
}

// Text between tags: any, or one of an enum's.
Result<ToolJson> text_part(const CallForm& form, const Tool& tool, const std::string& name,
                           const ToolJson& schema) {
  const std::string place = "/properties/" + name;
  ToolJson texts = ToolJson::array();
  if (const ToolJson* value = member(schema, "const")) texts.push_back(*value);
  if (const ToolJson* values = member(schema, "enum"); values && texts.empty()) texts = *values;
  const bool plain = std::ranges::all_of(texts, [&](const ToolJson& text) {
    return text.is_string() && !text.get_ref<const std::string&>().empty() &&
           text.get_ref<const std::string&>().find('<') == std::string::npos;
  });
  for (const auto& [keyword, value] : schema.items()) {
    const bool choice = keyword == "enum" || keyword == "const";
    const bool held = choice ? plain : std::ranges::count(kRemarks, keyword) > 0;
    if (!held && tool.strict) return cannot(tool, keyword, place);
  }
  if (!plain || texts.empty()) return ToolJson{{"until", form.value_end}};
  return ToolJson{{"choice", texts}};
}

// One argument between its tags.
Result<ToolJson> tagged_argument(const CallForm& form, const Tool& tool, const std::string& name,
                                 const ToolJson& written) {
  const ToolJson* schema = &written;
  if (const ToolJson* reference = member(written, "$ref"); reference && reference->is_string())
    if (const ToolJson* named =
            follow_reference(tool.parameters, reference->get_ref<const std::string&>()))
      schema = named;
  const bool text = (types_of(*schema, tool.parameters) & kJsonString) != 0;
  std::string begin = form.key_begin + name + form.key_end;
  if (form.string_mark) begin += text ? " string=\"true\"" : " string=\"false\"";
  if (!form.value_begin.empty()) {
    if (!form.string_mark) begin += form.space;
    begin += form.value_begin;
  }
  if (form.lines) begin += "\n";
  ToolJson parts = {begin};
  const std::string end = (form.lines ? "\n" : "") + form.value_end + form.space;
  if (!text) {
    parts.push_back({{"schema", with_definitions(written, tool.parameters)}});
    parts.push_back(end);
    return parts;
  }
  TRY(ToolJson part, text_part(form, tool, name, *schema));
  const bool until = part.contains("until");
  parts.push_back(std::move(part));
  parts.push_back(until ? form.space : end);
  return parts;
}

// Properties in the schema's order. Errors: of a strict tool, what more its schema says.
Result<ToolJson> argument_list(const CallForm& form, const Tool& tool, bool enforced) {
  ToolJson items = ToolJson::array();
  if (tool.strict)
    for (const auto& [keyword, value] : tool.parameters.items())
      if (std::ranges::count(kHeld, keyword) == 0) return cannot(tool, keyword, "the root");
  const ToolJson* given = member(tool.parameters, "properties");
  const ToolJson properties = given ? *given : ToolJson::object();
  for (const auto& [name, schema] : properties.items()) {
    const bool writable = !name.empty() && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-' || c == '.';
    });
    if (!writable && tool.strict) return cannot(tool, name, "/properties");
    if (!writable) continue;
    const ToolJson held = enforced ? schema : ToolJson{{"type", schema.value("type", "string")}};
    ToolJson parts;
    if (form.shape == CallShape::tagged) {
      TRY(parts, tagged_argument(form, tool, name, held));
    } else {
      parts = {name + "=", {{"schema", with_definitions(held, tool.parameters)}}};
    }
    items.push_back({{"parts", std::move(parts)}, {"optional", !is_required(tool, name)}});
  }
  return ToolJson{
      {"list", {{"items", items}, {"separator", form.shape == CallShape::tagged ? "" : ", "}}}};
}

std::string quoted(const std::string& text) { return ToolJson(text).dump(); }

}  // namespace

Result<ToolJson> tag_of(const CallForm& form, const Tool& tool, bool enforced) {
  const std::string fence = form.open.empty() ? "" : form.open + form.space;
  const std::string fence_end = form.close.empty() ? "" : form.space + form.close;
  const ToolJson json = {{"schema", object_schema(tool, enforced)}};
  switch (form.shape) {
    case CallShape::json:
      return ToolJson{{"begin", "{" + quoted(form.name_keys[0]) + ": " + quoted(tool.name) + ", " +
                                    quoted(form.argument_keys[0]) + ": "},
                      {"parts", {json}},
                      {"end", "}"}};
    case CallShape::named: {
      ToolJson parts = ToolJson::array();
      if (form.number) parts.insert(parts.end(), {":", {{"digits", 3}}});
      if (!form.id_begin.empty()) parts.insert(parts.end(), {form.id_begin, {{"id", 9}}});
      parts.push_back(form.name_end + form.space + fence);
      parts.push_back(json);
      return ToolJson{{"begin", form.begin + form.name_prefix + tool.name},
                      {"parts", parts},
                      {"end", fence_end + form.end}};
    }
    case CallShape::tagged: {
      TRY(ToolJson list, argument_list(form, tool, enforced));
      return ToolJson{{"begin", form.begin + tool.name + form.name_end + form.space},
                      {"parts", ToolJson::array({list})},
                      {"end", form.end}};
    }
    case CallShape::python:
      break;
  }
  TRY(ToolJson list, argument_list(form, tool, enforced));
  return ToolJson{{"begin", tool.name + "("}, {"parts", ToolJson::array({list})}, {"end", ")"}};
}

}  // namespace quern
