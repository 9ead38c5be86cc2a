// Options as JSON objects, by tables: one row a field, which reads it, checks its type and writes
// its value. Ranges are checked by the engine.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/c_api/json_text.h"
#include "base/result.h"
#include "quern/model.h"

namespace quern::c_api {

// Where a value stands, "request.messages[3].content"; as text only where there is an error.
struct At {
  const At* outer = nullptr;
  std::string_view name;
  int64_t index = -1;  // of an element; then there is no name

  std::string text() const;
};

// "top_k is a string, not a whole number"
Error wrong_type(const Json& value, const At& at, std::string_view wanted);

// Each leaves `out` alone where it fails: invalid_argument, with the place. Numbers with a fraction
// are no integers, and those that the type cannot hold are refused.
Result<> read_value(const Json& value, const At& at, bool& out);
Result<> read_value(const Json& value, const At& at, int& out);
Result<> read_value(const Json& value, const At& at, int64_t& out);
Result<> read_value(const Json& value, const At& at, uint64_t& out);
Result<> read_value(const Json& value, const At& at, float& out);
Result<> read_value(const Json& value, const At& at, std::string& out);
Result<> read_value(const Json& value, const At& at, Numerics& out);
Result<> read_value(const Json& value, const At& at, KvKind& out);
Result<> read_value(const Json& value, const At& at, PackedUse& out);
Result<> read_value(const Json& value, const At& at, GrammarKind& out);
Result<> read_value(const Json& value, const At& at, GrammarSpec& out);
Result<> read_value(const Json& value, const At& at, ReasoningOptions& out);
Result<> read_value(const Json& value, const At& at, Pooling& out);
Result<> read_value(const Json& value, const At& at, LogitBias& out);
Result<> read_value(const Json& value, const At& at, Message& out);

template <class T>
Result<> read_value(const Json& value, const At& at, std::vector<T>& out) {
  if (!value.is_array()) return wrong_type(value, at, "an array");
  std::vector<T> all;
  all.reserve(value.size());
  for (const Json& element : value) {
    T one{};
    const At place{.outer = &at, .index = static_cast<int64_t>(all.size())};
    TRY_OK(read_value(element, place, one));
    all.push_back(std::move(one));
  }
  out = std::move(all);
  return Ok{};
}

template <class T>
Json write_value(const T& value) {
  return value;
}
// The shortest decimal that reads back as this float: 0.8, not 0.800000011920929.
Json write_value(float value);
Json write_value(Numerics value);
Json write_value(KvKind value);
Json write_value(PackedUse value);
Json write_value(GrammarKind value);
Json write_value(const GrammarSpec& value);
Json write_value(const ReasoningOptions& value);
Json write_value(Pooling value);
Json write_value(const std::vector<LogitBias>& value);

enum class Need : uint8_t { optional, required };  // required: it has no default

// A field of the options T.
template <class T>
struct Field {
  std::string_view name;
  Result<> (*read)(const Json&, const At&, T&);
  Json (*write)(const T&);
  Need need = Need::optional;
};

template <class T, class V>
T owner_of(V T::*);

// field<&LoadOptions::threads>("threads")
template <auto kMember>
constexpr auto field(std::string_view name, Need need = Need::optional) {
  using T = decltype(owner_of(kMember));
  return Field<T>{
      name,
      [](const Json& value, const At& at, T& out) { return read_value(value, at, out.*kMember); },
      [](const T& value) -> Json { return write_value(value.*kMember); }, need};
}

template <class T, size_t n>
const Field<T>* find_field(const Field<T> (&table)[n], std::string_view name) {
  for (const Field<T>& row : table)
    if (row.name == name) return &row;
  return nullptr;
}

// Fields of `value`, which must be an object of fields in the table and no others. One that is null
// is as one that is not there.
Error unknown_field(const At& at, std::string_view fix);
Error missing_field(const At& at, std::string_view name);
template <class T, size_t n>
Result<> read_fields(const Field<T> (&table)[n], const Json& value, const At& at, T& out) {
  if (!value.is_object()) return wrong_type(value, at, "an object");
  for (const auto& [name, inner] : value.items()) {
    const At place{.outer = &at, .name = name};
    const Field<T>* row = find_field(table, name);
    if (row == nullptr) {
      std::string known;
      for (const Field<T>& one : table)
        known += (known.empty() ? "" : ", ") + std::string(one.name);
      return unknown_field(place, "there are: " + known);
    }
    if (inner.is_null() && row->need == Need::optional) continue;
    TRY_OK(row->read(inner, place, out));
  }
  for (const Field<T>& row : table)
    if (row.need == Need::required && !value.contains(row.name)) return missing_field(at, row.name);
  return Ok{};
}

// Adds a field for each row of the table to `out`, an object.
template <class T, size_t n>
void write_fields(const Field<T> (&table)[n], const T& value, Json& out) {
  for (const Field<T>& row : table) out[std::string(row.name)] = row.write(value);
}

}  // namespace quern::c_api
