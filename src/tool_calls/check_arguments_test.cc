#include <gtest/gtest.h>

#include "tool_calls/tool_grammar.h"

namespace quern {
namespace {

// Empty: they fit.
std::string wrong_in(const char* schema, const std::string& arguments) {
  const auto fits = check_arguments({"f", ToolJson::parse(schema), false}, arguments);
  return fits ? "" : fits.error().what;
}

struct Row {
  const char* schema;            // of /a
  std::vector<const char*> fit;  // values of /a
  std::vector<const char*> fail;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {R"({"type": "string"})", {"\"x\""}, {"1", "null"}},
      {R"({"type": ["integer", "null"]})", {"1", "2.0", "null"}, {"1.5", "\"1\""}},
      {R"({"type": "boolean"})", {"true"}, {"0"}},
      {R"({"enum": ["x", 1]})", {"\"x\"", "1"}, {"2"}},
      {R"({"const": {"b": [1]}})", {R"({"b": [1]})"}, {R"({"b": [2]})"}},
      {R"({"minimum": 1, "maximum": 3})", {"1", "3", "\"x\""}, {"0.9", "4"}},
      {R"({"minimum": 1, "exclusiveMinimum": true})", {"2"}, {"1"}},
      {R"({"exclusiveMinimum": 1, "exclusiveMaximum": 2})", {"1.5"}, {"1", "2"}},
      {R"({"multipleOf": 0.1})", {"0.3"}, {"0.35"}},
      {R"({"minLength": 2, "maxLength": 3})", {"\"äöü\""}, {"\"a\"", "\"abcd\""}},
      {R"({"minItems": 1, "maxItems": 2, "items": {"type": "integer"}})",
       {"[1]", "[1, 2]"},
       {"[]", "[1, 2, 3]", "[\"x\"]"}},
      {R"({"prefixItems": [{"type": "string"}], "items": false})",
       {"[\"x\"]"},
       {"[\"x\", 1]", "[1]"}},
      {R"({"uniqueItems": true})", {"[1, 2]"}, {"[1, 1]"}},
      {R"({"contains": {"const": 1}, "maxContains": 1})", {"[0, 1]"}, {"[0]", "[1, 1]"}},
      {R"({"required": ["b"], "properties": {"b": {"type": "null"}}, "additionalProperties": false})",
       {R"({"b": null})"},
       {"{}", R"({"b": 1})", R"({"b": null, "c": 1})"}},
      {R"({"additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 1})",
       {R"({"x": 1})"},
       {"{}", R"({"x": "1"})", R"({"x": 1, "y": 1})"}},
      {R"({"propertyNames": {"maxLength": 1}})", {R"({"x": 1})"}, {R"({"xy": 1})"}},
      {R"({"dependentRequired": {"b": ["c"]}})", {R"({"b": 1, "c": 1})", "{}"}, {R"({"b": 1})"}},
      {R"({"dependentSchemas": {"b": {"required": ["c"]}}})", {"{}"}, {R"({"b": 1})"}},
      {R"({"anyOf": [{"type": "string"}, {"const": 1}]})", {"\"x\"", "1"}, {"2"}},
      {R"({"oneOf": [{"minimum": 1}, {"minimum": 2}]})", {"1"}, {"0", "3"}},
      {R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", {"1"}, {"0", "3"}},
      {R"({"not": {"const": 1}})", {"2"}, {"1"}},
      {R"({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}})",
       {"\"ab\"", "2"},
       {"\"a\"", "1"}},
      {"true", {"1"}, {}},
      {"false", {}, {"1"}},
  };
  return kRows;
}

TEST(CheckArguments, Keywords) {
  for (const Row& row : rows()) {
    const std::string schema = std::string(R"({"properties": {"a": )") + row.schema + "}}";
    for (const char* value : row.fit)
      EXPECT_EQ(wrong_in(schema.c_str(), std::string("{\"a\": ") + value + "}"), "")
          << row.schema << " " << value;
    for (const char* value : row.fail)
      EXPECT_NE(wrong_in(schema.c_str(), std::string("{\"a\": ") + value + "}").find("/a"),
                std::string::npos)
          << row.schema << " " << value;
  }
}

TEST(CheckArguments, FollowsReferences) {
  const char* tree = R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object",
    "properties": {"child": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}}})";
  EXPECT_EQ(wrong_in(tree, R"({"child": {"child": {"n": 1}}})"), "");
  EXPECT_EQ(wrong_in(tree, R"({"child": {"child": {"n": "1"}}})"),
            "/child/child/n: must be of type \"integer\"");
}

TEST(CheckArguments, IsBounded) {
  EXPECT_NE(wrong_in(R"({"$ref": "#"})", "{}"), "");
  std::string deep(400, '[');
  deep = "{\"a\": " + deep + std::string(400, ']') + "}";
  const char* schema = R"({"properties": {"a": {"$ref": "#/$defs/l"}},
    "$defs": {"l": {"anyOf": [{"items": {"$ref": "#/$defs/l"}}, {"items": {"$ref": "#/$defs/l"}}]}}})";
  EXPECT_NE(wrong_in(schema, deep), "");
}

TEST(CheckArguments, ArgumentsAreAnObject) {
  EXPECT_NE(wrong_in("{}", "[1]"), "");
  EXPECT_NE(wrong_in("{}", "{\"a\": "), "");
  EXPECT_EQ(wrong_in("{}", "{}"), "");
}

}  // namespace
}  // namespace quern
