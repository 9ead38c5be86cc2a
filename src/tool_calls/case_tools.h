// The tools that the cases of tests call.
#pragma once
#include <memory>

#include "base/check.h"
#include "tool_calls/tool_set.h"

namespace quern::testing {

inline constexpr const char* kCaseTools = R"([
  {"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"]}}},
  {"type": "function", "function": {"name": "search", "parameters": {
    "type": "object", "properties": {
      "query": {"type": "string"}, "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
      "exact": {"type": "boolean"}, "filters": {"$ref": "#/$defs/filters"}},
    "$defs": {"filters": {"type": "object"}}}}},
  {"type": "function", "function": {"name": "write_file", "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}}},
  {"type": "function", "function": {"name": "no_arguments"}}
])";

inline std::shared_ptr<const ToolSet> case_tools() {
  static const auto kTools = [] {
    auto parsed = ToolSet::parse(kCaseTools);
    CHECK(static_cast<bool>(parsed), "the tools of the cases are good");
    return std::make_shared<const ToolSet>(std::move(*parsed));
  }();
  return kTools;
}

}  // namespace quern::testing
