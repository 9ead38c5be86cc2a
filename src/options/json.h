// Options as JSON values: read with their place for errors, and written.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "options/check.h"

namespace quern::options {

// Fields stay in the order they were written; looking one up takes time linear in their number.
using Json = nlohmann::ordered_json;

// Where a value stands, "request.messages[3].content"; as text only where there is an error.
struct At {
  const At* outer = nullptr;
  std::string_view name;
  int64_t index = -1;  // of an element; then there is no name

  std::string text() const;
  std::string called() const;  // "content", "element 3"
};

// A field's name as errors say it: its first characters, where it is longer than 64 bytes.
std::string short_name(std::string_view name);
// "top_k is a value of type string, not a whole number"
Error wrong_type(const Json& value, const At& at, std::string_view wanted);
Error unknown_field(const At& at, std::string_view fix);
Error missing_field(const At& at, std::string_view name);

// What two APIs write in different shapes.
enum class Shape : uint8_t {
  c,       // quern.h: 3.0 is no whole number; biases are [{"id": 7, "bias": -1}]
  openai,  // 3.0 is 3, as JavaScript writes it; biases are {"7": -1}, one text is a list of it
};

struct JsonValue {
  const Json& value;
  const At& at;
  const Limits& limits;
  Shape shape = Shape::c;
};
// Errors: invalid_argument, with the place; `out` is left alone.
Result<> read_json(const JsonValue& json, bool& out);
Result<> read_json(const JsonValue& json, int& out);
Result<> read_json(const JsonValue& json, int64_t& out);
Result<> read_json(const JsonValue& json, uint64_t& out);  // a seed: any 64 bits
Result<> read_json(const JsonValue& json, float& out);
Result<> read_json(const JsonValue& json, std::string& out);
Result<> read_json(const JsonValue& json, std::vector<std::string>& out);
Result<> read_json(const JsonValue& json, std::vector<int32_t>& out);
Result<> read_json(const JsonValue& json, std::vector<LogitBias>& out);
Result<int> read_name(const JsonValue& json, std::span<const char* const> names);

// limits: null: those of the option.
template <class T>
Result<> read_json(const Option<T>& option, const Json& value, const At& at, T& out,
                   Shape shape = Shape::c, const Limits* limits = nullptr) {
  const JsonValue json{value, at, limits ? *limits : option.limits, shape};
  const auto one = [&](const auto& member) -> Result<> {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice<T>>) {
      TRY(const int index, read_name(json, member.names));
      member.set(out, index);
      return Ok{};
    } else {
      return read_json(json, out.*member);
    }
  };
  return std::visit(one, option.member);
}

// An object of fields of the table and no others. A field that is null counts as left out.
template <class T>
Result<> read_object(std::span<const Option<T>> rows, const Json& value, const At& at, T& out) {
  if (!value.is_object()) return wrong_type(value, at, "an object");
  for (const auto& [name, inner] : value.items()) {
    const At place{.outer = &at, .name = name};
    const Option<T>* option = find(rows, name);
    if (!option || !option->c_json) {
      std::string known;
      for (const Option<T>& one : rows)
        if (one.c_json) known += (known.empty() ? "" : ", ") + std::string(one.name);
      return unknown_field(place, "there are: " + known);
    }
    if (!inner.is_null()) TRY_OK(read_json(*option, inner, place, out));
  }
  return Ok{};
}

// A float is the shortest decimal that reads back as this float: 0.8, not 0.800000011920929.
Json to_json(float value);
Json to_json(const std::vector<LogitBias>& value, Shape shape = Shape::c);
template <class T>
Json to_json(const T& value) {
  return value;
}

template <class T>
Json to_json(const Option<T>& option, const T& options, Shape shape = Shape::c) {
  const auto one = [&](const auto& member) -> Json {
    using M = std::decay_t<decltype(member)>;
    if constexpr (std::is_same_v<M, Choice<T>>)
      return member.names[member.get(options)];
    else if constexpr (std::is_same_v<M, std::vector<LogitBias> T::*>)
      return to_json(options.*member, shape);
    else
      return to_json(options.*member);
  };
  return std::visit(one, option.member);
}

// Adds a field for each row of the table to `out`, an object.
template <class T>
void write_object(std::span<const Option<T>> rows, const T& options, Json& out) {
  for (const Option<T>& option : rows)
    if (option.c_json) out[std::string(option.name)] = to_json(option, options);
}

// {"load": {...}, "request": {...}, "embed": {...}}: each option of quern.h with its default.
Json default_options(const Schema& schema = quern::options::schema());

}  // namespace quern::options
