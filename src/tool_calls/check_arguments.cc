// Arguments against a JSON schema, after the fact.
#include <algorithm>
#include <array>
#include <cmath>

#include "tool_calls/tool_grammar.h"

namespace quern {
namespace {

constexpr int kMostDepth = 128;
constexpr int64_t kMostSteps = 1'000'000;  // schemas that are applied, values that are compared

using Place = std::string;

class Check {
 public:
  explicit Check(const ToolJson& root) : root_(root) {}
  Result<> value(const ToolJson& schema, const ToolJson& value, const Place& place, int depth);

 private:
  struct At {
    const ToolJson& schema;  // the whole one
    const ToolJson& rule;    // the keyword's value
    const ToolJson& value;
    const Place& place;
    int depth;
  };
  using Keyword = Result<> (Check::*)(const At&);
  struct Row {
    const char* name;
    Keyword check;
  };
  static const std::array<Row, 31> kRows;

  Result<> type(const At& at);
  Result<> enumeration(const At& at);
  Result<> constant(const At& at);
  Result<> least(const At& at);
  Result<> most(const At& at);
  Result<> above(const At& at);
  Result<> below(const At& at);
  Result<> multiple(const At& at);
  Result<> min_length(const At& at);
  Result<> max_length(const At& at);
  Result<> min_items(const At& at);
  Result<> max_items(const At& at);
  Result<> min_properties(const At& at);
  Result<> max_properties(const At& at);
  Result<> required(const At& at);
  Result<> properties(const At& at);
  Result<> additional(const At& at);
  Result<> names(const At& at);
  Result<> dependent_required(const At& at);
  Result<> prefix_items(const At& at);
  Result<> items(const At& at);
  Result<> contains(const At& at);
  Result<> unique(const At& at);
  Result<> all_of(const At& at);
  Result<> any_of(const At& at);
  Result<> one_of(const At& at);
  Result<> not_(const At& at);
  Result<> if_(const At& at);
  Result<> reference(const At& at);
  Result<> dependent_schemas(const At& at);

  bool fits(const ToolJson& schema, const At& at) {
    return static_cast<bool>(value(schema, at.value, at.place, at.depth));
  }
  bool step() { return ++n_steps_ <= kMostSteps; }
  static Result<> size(const At& at, size_t n, bool least, const char* what);

  const ToolJson& root_;
  int64_t n_steps_ = 0;
};

Error wrong(const Place& place, const std::string& must) {
  return {Code::invalid_argument, (place.empty() ? "the arguments" : place) + ": " + must, "", ""};
}

Error too_much() {
  return {Code::out_of_memory, "arguments or schema are nested too deep", "", ""};
}

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0u) != 0x80u; }));
}

bool is_integer(const ToolJson& value) {
  if (value.is_number_integer()) return true;
  return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
}

bool has_type(const ToolJson& name, const ToolJson& value) {
  if (name == "string") return value.is_string();
  if (name == "integer") return is_integer(value);
  if (name == "number") return value.is_number();
  if (name == "boolean") return value.is_boolean();
  if (name == "object") return value.is_object();
  if (name == "array") return value.is_array();
  return name == "null" ? value.is_null() : true;  // unknown ones say nothing
}

Result<> Check::type(const At& at) {
  const bool list = at.rule.is_array();
  const bool fits =
      list ? std::ranges::any_of(at.rule, [&](const auto& t) { return has_type(t, at.value); })
           : has_type(at.rule, at.value);
  if (!fits) return wrong(at.place, "must be of type " + at.rule.dump());
  return Ok{};
}

Result<> Check::enumeration(const At& at) {
  if (at.rule.is_array() && std::ranges::count(at.rule, at.value) == 0)
    return wrong(at.place, "must be one of " + at.rule.dump());
  return Ok{};
}

Result<> Check::constant(const At& at) {
  if (at.rule != at.value) return wrong(at.place, "must be " + at.rule.dump());
  return Ok{};
}

Result<> Check::least(const At& at) {
  const bool strict = at.schema.value("exclusiveMinimum", ToolJson()) == true;  // draft 4
  if (at.value.is_number() && (at.value < at.rule || (strict && at.value == at.rule)))
    return wrong(at.place, "must be at least " + at.rule.dump());
  return Ok{};
}

Result<> Check::most(const At& at) {
  const bool strict = at.schema.value("exclusiveMaximum", ToolJson()) == true;
  if (at.value.is_number() && (at.value > at.rule || (strict && at.value == at.rule)))
    return wrong(at.place, "must be at most " + at.rule.dump());
  return Ok{};
}

Result<> Check::above(const At& at) {
  if (at.value.is_number() && at.rule.is_number() && at.value <= at.rule)
    return wrong(at.place, "must be more than " + at.rule.dump());
  return Ok{};
}

Result<> Check::below(const At& at) {
  if (at.value.is_number() && at.rule.is_number() && at.value >= at.rule)
    return wrong(at.place, "must be less than " + at.rule.dump());
  return Ok{};
}

Result<> Check::multiple(const At& at) {
  if (!at.value.is_number() || !at.rule.is_number()) return Ok{};
  const double n = at.value.get<double>() / at.rule.get<double>();
  if (std::abs(n - std::round(n)) > 1e-9 * std::max(1.0, std::abs(n)))
    return wrong(at.place, "must be a multiple of " + at.rule.dump());
  return Ok{};
}

Result<> Check::size(const At& at, size_t n, bool least, const char* what) {
  if (!at.rule.is_number()) return Ok{};
  const double limit = at.rule.get<double>(), size = static_cast<double>(n);
  if (least ? size >= limit : size <= limit) return Ok{};
  return wrong(at.place, std::string("must have ") + (least ? "at least " : "at most ") +
                             at.rule.dump() + what);
}

Result<> Check::min_length(const At& at) {
  if (!at.value.is_string()) return Ok{};
  return size(at, characters(at.value.get<std::string>()), true, " characters");
}

Result<> Check::max_length(const At& at) {
  if (!at.value.is_string()) return Ok{};
  return size(at, characters(at.value.get<std::string>()), false, " characters");
}

Result<> Check::min_items(const At& at) {
  return at.value.is_array() ? size(at, at.value.size(), true, " items") : Ok{};
}

Result<> Check::max_items(const At& at) {
  return at.value.is_array() ? size(at, at.value.size(), false, " items") : Ok{};
}

Result<> Check::min_properties(const At& at) {
  return at.value.is_object() ? size(at, at.value.size(), true, " properties") : Ok{};
}

Result<> Check::max_properties(const At& at) {
  return at.value.is_object() ? size(at, at.value.size(), false, " properties") : Ok{};
}

Result<> Check::required(const At& at) {
  if (!at.value.is_object() || !at.rule.is_array()) return Ok{};
  for (const ToolJson& name : at.rule)
    if (name.is_string() && !at.value.contains(name.get<std::string>()))
      return wrong(at.place, "must have " + name.dump());
  return Ok{};
}

Result<> Check::properties(const At& at) {
  if (!at.value.is_object() || !at.rule.is_object()) return Ok{};
  for (const auto& [name, value] : at.value.items())
    if (const auto schema = at.rule.find(name); schema != at.rule.end())
      TRY_OK(this->value(*schema, value, at.place + "/" + name, at.depth));
  return Ok{};
}

// Of properties that have no schema of their own. Patterns are not matched: what one may mean fits.
Result<> Check::additional(const At& at) {
  if (!at.value.is_object() || at.schema.contains("patternProperties")) return Ok{};
  const auto known = at.schema.find("properties");
  for (const auto& [name, value] : at.value.items()) {
    if (known != at.schema.end() && known->contains(name)) continue;
    if (at.rule == false) return wrong(at.place + "/" + name, "there is no such property");
    TRY_OK(this->value(at.rule, value, at.place + "/" + name, at.depth));
  }
  return Ok{};
}

Result<> Check::names(const At& at) {
  if (!at.value.is_object()) return Ok{};
  for (const auto& [name, value] : at.value.items())
    TRY_OK(this->value(at.rule, ToolJson(name), at.place + "/" + name, at.depth));
  return Ok{};
}

Result<> Check::dependent_required(const At& at) {
  if (!at.value.is_object() || !at.rule.is_object()) return Ok{};
  for (const auto& [name, names] : at.rule.items())
    if (at.value.contains(name) && names.is_array())
      TRY_OK(required({at.schema, names, at.value, at.place, at.depth}));
  return Ok{};
}

Result<> Check::dependent_schemas(const At& at) {
  if (!at.value.is_object() || !at.rule.is_object()) return Ok{};
  for (const auto& [name, schema] : at.rule.items())
    if (at.value.contains(name) && !schema.is_array())
      TRY_OK(value(schema, at.value, at.place, at.depth));
  return Ok{};
}

Result<> Check::prefix_items(const At& at) {
  if (!at.value.is_array() || !at.rule.is_array()) return Ok{};
  for (size_t i = 0; i < std::min(at.value.size(), at.rule.size()); ++i)
    TRY_OK(value(at.rule[i], at.value[i], at.place + "/" + std::to_string(i), at.depth));
  return Ok{};
}

// Behind prefixItems; a list is that of older drafts.
Result<> Check::items(const At& at) {
  if (!at.value.is_array()) return Ok{};
  if (at.rule.is_array()) return prefix_items(at);
  const auto prefix = at.schema.find("prefixItems");
  for (size_t i = prefix == at.schema.end() ? 0 : prefix->size(); i < at.value.size(); ++i)
    TRY_OK(value(at.rule, at.value[i], at.place + "/" + std::to_string(i), at.depth));
  return Ok{};
}

Result<> Check::contains(const At& at) {
  if (!at.value.is_array()) return Ok{};
  int64_t n = 0;
  for (const ToolJson& item : at.value) n += value(at.rule, item, at.place, at.depth) ? 1 : 0;
  if (n < at.schema.value("minContains", int64_t{1}))
    return wrong(at.place, "does not contain what it must");
  if (n > at.schema.value("maxContains", INT64_MAX))
    return wrong(at.place, "contains too many of one kind");
  return Ok{};
}

Result<> Check::unique(const At& at) {
  if (!at.value.is_array() || at.rule != true) return Ok{};
  for (size_t i = 0; i < at.value.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (!step()) return too_much();
      if (at.value[i] == at.value[j]) return wrong(at.place, "must have different items");
    }
  return Ok{};
}

Result<> Check::all_of(const At& at) {
  if (at.rule.is_array())
    for (const ToolJson& schema : at.rule) TRY_OK(value(schema, at.value, at.place, at.depth));
  return Ok{};
}

Result<> Check::any_of(const At& at) {
  if (!at.rule.is_array()) return Ok{};
  if (std::ranges::any_of(at.rule, [&](const auto& schema) { return fits(schema, at); }))
    return Ok{};
  return wrong(at.place, "fits none of \"anyOf\"");
}

Result<> Check::one_of(const At& at) {
  if (!at.rule.is_array()) return Ok{};
  const auto n = std::ranges::count_if(at.rule, [&](const auto& s) { return fits(s, at); });
  if (n != 1) return wrong(at.place, "fits " + std::to_string(n) + " of \"oneOf\", not one");
  return Ok{};
}

Result<> Check::not_(const At& at) {
  if (fits(at.rule, at)) return wrong(at.place, "fits what \"not\" excludes");
  return Ok{};
}

Result<> Check::if_(const At& at) {
  const auto rule = at.schema.find(fits(at.rule, at) ? "then" : "else");
  return rule == at.schema.end() ? Ok{} : value(*rule, at.value, at.place, at.depth);
}

// What leads elsewhere says nothing here.
Result<> Check::reference(const At& at) {
  if (!at.rule.is_string()) return Ok{};
  const ToolJson* named = follow_reference(root_, at.rule.get_ref<const std::string&>());
  return named ? value(*named, at.value, at.place, at.depth) : Ok{};
}

const std::array<Check::Row, 31> Check::kRows = {{
    {"$ref", &Check::reference},
    {"type", &Check::type},
    {"enum", &Check::enumeration},
    {"const", &Check::constant},
    {"minimum", &Check::least},
    {"maximum", &Check::most},
    {"exclusiveMinimum", &Check::above},
    {"exclusiveMaximum", &Check::below},
    {"multipleOf", &Check::multiple},
    {"minLength", &Check::min_length},
    {"maxLength", &Check::max_length},
    {"minItems", &Check::min_items},
    {"maxItems", &Check::max_items},
    {"minProperties", &Check::min_properties},
    {"maxProperties", &Check::max_properties},
    {"required", &Check::required},
    {"properties", &Check::properties},
    {"additionalProperties", &Check::additional},
    {"propertyNames", &Check::names},
    {"dependentRequired", &Check::dependent_required},
    {"dependentSchemas", &Check::dependent_schemas},
    {"dependencies", &Check::dependent_schemas},
    {"prefixItems", &Check::prefix_items},
    {"items", &Check::items},
    {"contains", &Check::contains},
    {"uniqueItems", &Check::unique},
    {"allOf", &Check::all_of},
    {"anyOf", &Check::any_of},
    {"oneOf", &Check::one_of},
    {"not", &Check::not_},
    {"if", &Check::if_},
}};

Result<> Check::value(const ToolJson& schema, const ToolJson& value, const Place& place,
                      int depth) {
  if (depth == kMostDepth || !step()) return too_much();
  if (schema == false) return wrong(place, "nothing is allowed here");
  if (!schema.is_object()) return Ok{};
  for (const Row& row : kRows)
    if (const auto rule = schema.find(row.name); rule != schema.end())
      TRY_OK((this->*row.check)({schema, *rule, value, place, depth + 1}));
  return Ok{};
}

}  // namespace

Result<> check_arguments(const Tool& tool, std::string_view arguments) {
  const ToolJson value = ToolJson::parse(arguments, nullptr, false);
  if (!value.is_object()) {
    return Error{Code::invalid_argument, "the arguments are no JSON object", tool.name, ""};
  }
  Check check(tool.parameters);
  auto fits = check.value(tool.parameters, value, "", 0);
  if (fits) return fits;
  Error error = fits.error();
  error.where = tool.name;
  return error;
}

}  // namespace quern
