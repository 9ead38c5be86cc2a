#include "tool_calls/tool_set.h"

#include <algorithm>
#include <array>

namespace quern {
namespace {

constexpr int kMostHops = 16;  // from schema to schema until the type is known

Error wrong(std::string what, size_t i, const char* member) {
  return {Code::invalid_argument, std::move(what),
          "tools[" + std::to_string(i) + "].function" + member, ""};
}

const ToolJson* member(const ToolJson& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

struct TypeName {
  const char* name;
  int type;
};
constexpr std::array kTypeNames = {
    TypeName{"null", kJsonNull},     TypeName{"boolean", kJsonBoolean},
    TypeName{"number", kJsonNumber}, TypeName{"integer", kJsonInteger},
    TypeName{"string", kJsonString}, TypeName{"array", kJsonArray},
    TypeName{"object", kJsonObject}};

int type_named(const ToolJson& name) {
  for (const TypeName& row : kTypeNames)
    if (name == row.name) return row.type;
  return 0;
}

int type_of_value(const ToolJson& value) {
  if (value.is_null()) return kJsonNull;
  if (value.is_boolean()) return kJsonBoolean;
  if (value.is_number_integer()) return kJsonInteger;
  if (value.is_number()) return kJsonFraction;
  if (value.is_string()) return kJsonString;
  return value.is_array() ? kJsonArray : kJsonObject;
}

int types_within(const ToolJson& schema, const ToolJson& root, int hops);

int union_of(const ToolJson& schemas, const ToolJson& root, int hops) {
  int types = 0;
  for (const ToolJson& schema : schemas) types |= types_within(schema, root, hops);
  return types;
}

// Depth is bounded by `hops`, and the schema's own nesting by who read it.
int types_within(const ToolJson& schema, const ToolJson& root, int hops) {
  if (hops == 0 || !schema.is_object()) return kJsonAny;
  if (const ToolJson* reference = member(schema, "$ref"); reference && reference->is_string()) {
    const ToolJson* named = follow_reference(root, reference->get_ref<const std::string&>());
    return named ? types_within(*named, root, hops - 1) : kJsonAny;
  }
  int types = kJsonAny;
  if (const ToolJson* type = member(schema, "type")) {
    int named = type_named(*type);
    if (type->is_array())
      for (const ToolJson& one : *type) named |= type_named(one);
    if (named != 0) types &= named;
  }
  if (const ToolJson* values = member(schema, "enum"); values && values->is_array()) {
    int named = 0;
    for (const ToolJson& value : *values) named |= type_of_value(value);
    types &= named;
  }
  if (schema.contains("const")) types &= type_of_value(schema["const"]);
  for (const char* choice : {"anyOf", "oneOf"})
    if (const ToolJson* schemas = member(schema, choice); schemas && schemas->is_array())
      types &= union_of(*schemas, root, hops - 1);
  if (const ToolJson* schemas = member(schema, "allOf"); schemas && schemas->is_array())
    for (const ToolJson& one : *schemas) types &= types_within(one, root, hops - 1);
  return types == 0 ? kJsonAny : types;
}

}  // namespace

Result<ToolSet> ToolSet::parse(std::string_view tools_json) {
  ToolSet set;
  if (tools_json.empty()) return set;
  const ToolJson list = ToolJson::parse(tools_json, nullptr, false);
  if (!list.is_array())
    return Error{Code::invalid_argument, "tools are not a JSON array", "tools", ""};
  if (list.size() > kMostTools) {
    return Error{Code::invalid_argument,
                 std::to_string(list.size()) + " tools, at most " + std::to_string(kMostTools),
                 "tools", ""};
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const ToolJson* inner = member(list[i], "function");
    const ToolJson& function = inner ? *inner : list[i];
    const ToolJson* name = member(function, "name");
    if (!name || !name->is_string()) return wrong("the tool has no name", i, ".name");
    Tool tool{name->get<std::string>(), {{"type", "object"}}, false};
    if (tool.name.empty() || tool.name.size() > kMostName)
      return wrong("a tool's name has 1 to 256 bytes", i, ".name");
    if (const ToolJson* schema = member(function, "parameters")) {
      if (!schema->is_object()) return wrong("a tool's parameters are an object", i, ".parameters");
      if (!schema->empty()) tool.parameters = *schema;
    }
    if (const ToolJson* strict = member(function, "strict")) {
      if (!strict->is_boolean()) return wrong("strict is true or false", i, ".strict");
      tool.strict = strict->get<bool>();
    }
    if (!set.by_name_.emplace(tool.name, set.tools_.size()).second)
      return wrong("two tools are named \"" + tool.name + "\"", i, ".name");
    set.tools_.push_back(std::move(tool));
  }
  return set;
}

const Tool* ToolSet::find(std::string_view name) const {
  const auto at = by_name_.find(std::string(name));
  return at == by_name_.end() ? nullptr : &tools_[at->second];
}

const ToolJson* follow_reference(const ToolJson& root, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  const std::string path(reference.substr(1));
  if (path.empty()) return &root;
  if (path[0] != '/') return nullptr;
  const ToolJson* at = &root;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    std::string name;
    for (size_t i = begin; i < end; ++i) {
      const bool escape = path[i] == '~' && i + 1 < end;
      name += !escape ? path[i] : path[++i] == '0' ? '~' : '/';
    }
    at = member(*at, name.c_str());
    if (!at) return nullptr;
    begin = end + 1;
  }
  return at;
}

int types_of(const ToolJson& schema, const ToolJson& root) {
  return types_within(schema, root, kMostHops);
}

int types_of_property(const Tool& tool, std::string_view property) {
  const ToolJson* properties = member(tool.parameters, "properties");
  const ToolJson* schema =
      properties ? member(*properties, std::string(property).c_str()) : nullptr;
  return schema ? types_of(*schema, tool.parameters) : kJsonAny;
}

std::string property_at(const Tool& tool, size_t i) {
  const ToolJson* properties = member(tool.parameters, "properties");
  if (!properties || !properties->is_object() || i >= properties->size()) return "";
  return std::next(properties->begin(), static_cast<std::ptrdiff_t>(i)).key();
}

}  // namespace quern
