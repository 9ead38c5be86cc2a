// The tools of a request, as parsers and grammars look at them.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace quern {

// Members in the order in which they were written.
using ToolJson = nlohmann::ordered_json;

// What a JSON schema allows, as a set.
enum JsonType : uint8_t {
  kJsonNull = 1,
  kJsonBoolean = 2,
  kJsonFraction = 4,  // a number that is no integer
  kJsonInteger = 8,
  kJsonNumber = kJsonFraction | kJsonInteger,
  kJsonString = 16,
  kJsonArray = 32,
  kJsonObject = 64,
  kJsonAny = 127
};

struct Tool {
  std::string name;
  ToolJson parameters;  // a JSON schema; {"type": "object"} where the tool has none
  bool strict = false;
};

// Thread-safe after construction.
class ToolSet {
 public:
  static constexpr size_t kMostTools = 512, kMostName = 256;

  ToolSet() = default;
  // tools_json: a JSON array as in OpenAI's API; empty: none. Errors: invalid_argument, whose
  // `where` names the tool: "tools[2].function.name".
  static Result<ToolSet> parse(std::string_view tools_json);

  bool empty() const { return tools_.empty(); }
  const std::vector<Tool>& tools() const { return tools_; }
  const Tool* find(std::string_view name) const;  // null: there is none

 private:
  std::vector<Tool> tools_;
  std::unordered_map<std::string, size_t> by_name_;
};

// Of a tool's property, through $ref, anyOf, oneOf, allOf, enum and const, as far as these can be
// followed; kJsonAny where the schema does not say.
int types_of(const ToolJson& schema, const ToolJson& root);
int types_of_property(const Tool& tool, std::string_view property);
// The i-th property of the schema; empty: there is none.
std::string property_at(const Tool& tool, size_t i);

// The schema that a local reference ("#/$defs/x") names; null: another document, or nothing there.
const ToolJson* follow_reference(const ToolJson& root, std::string_view reference);

}  // namespace quern
