#include "api/c_api/json_fields.h"

#include "api/message_json.h"

namespace quern::c_api {

Result<> read_value(const Json& value, const At& at, bool& out) {
  if (!value.is_boolean()) return wrong_type(value, at, "true or false");
  out = value.get<bool>();
  return Ok{};
}

Result<> read_value(const Json& value, const At& at, int32_t& out) {
  constexpr options::Limits kIds = options::numbers(INT32_MIN, INT32_MAX);
  return options::read_json({value, at, kIds}, out);
}

Result<> read_value(const Json& value, const At& at, std::string& out) {
  if (!value.is_string()) return wrong_type(value, at, "text");
  out = value.get<std::string>();
  return Ok{};
}

// SDKs print an answer with a null for each field that it does not have. Annotations are remarks on
// its text.
Result<> read_value(const Json& value, const At& at, Message& out) {
  if (!value.is_object()) return wrong_type(value, at, "an object");
  const auto placed = [&at](const Result<>& outcome) -> Result<> {
    if (outcome) return Ok{};
    Error error = outcome.error();
    error.where = at.text() + error.where;
    return error;
  };
  bool role = false;
  for (const auto& [name, inner] : value.items()) {
    const At place{.outer = &at, .name = name};
    if (name == "role") {
      TRY_OK(read_value(inner, place, out.role));
      role = true;
    } else if (const MessageMember* member = find_message_member(name); !member) {
      if (inner.is_null() || name == "annotations") continue;
      return unknown_field(place, "docs/c-api.md has those of a message");
    } else if (!inner.is_null() || name == "content") {
      TRY_OK(placed(member->read(inner, out)));
    }
  }
  if (!role) return missing_field(at, "role");
  return placed(finish_message(value, out));
}

}  // namespace quern::c_api
