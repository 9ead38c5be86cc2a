#include "api/c_api/json_fields.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "api/message_json.h"
#include "base/same_name.h"

namespace quern::c_api {
namespace {

// The name under which an error speaks of a value.
std::string called(const At& at) {
  if (at.index >= 0) return "element " + std::to_string(at.index);
  return short_name(at.name);
}

Error out_of_range(const At& at, const std::string& limits) {
  return {Code::invalid_argument, called(at) + " is out of range", at.text(), limits};
}

template <class T>
Result<> read_integer(const Json& value, const At& at, T& out) {
  using Limits = std::numeric_limits<T>;
  if (!value.is_number_integer()) return wrong_type(value, at, "a whole number");
  // A JSON integer is held unsigned where it is not negative.
  const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<uint64_t>())
                                               : std::in_range<T>(value.get<int64_t>());
  if (!fits) {
    return out_of_range(
        at, "between " + std::to_string(Limits::min()) + " and " + std::to_string(Limits::max()));
  }
  out = value.get<T>();
  return Ok{};
}

using quern::name;

const char* name(GrammarKind kind) {
  constexpr const char* kNames[] = {"none", "json_object", "json_schema", "regex",
                                    "lark", "choice",      "tools"};
  return kNames[static_cast<int>(kind)];
}

// One of the names that quern/model.h gives the values of an enum.
template <class E, size_t n>
Result<> read_name(const E (&all)[n], const Json& value, const At& at, E& out) {
  if (!value.is_string()) return wrong_type(value, at, "a name");
  std::string known;
  for (const E one : all) {
    if (same_name(value.get_ref<const std::string&>(), name(one))) {
      out = one;
      return Ok{};
    }
    known += (known.empty() ? "" : ", ") + std::string(name(one));
  }
  return Error{Code::invalid_argument, called(at) + " has no such value", at.text(),
               "there are: " + known};
}

constexpr Numerics kNumerics[] = {Numerics::automatic, Numerics::exact, Numerics::fine,
                                  Numerics::fast};
constexpr KvKind kKvKinds[] = {KvKind::automatic, KvKind::bf16, KvKind::f16, KvKind::int8,
                               KvKind::int4};
constexpr PackedUse kPackedUses[] = {PackedUse::automatic, PackedUse::on, PackedUse::off};

constexpr GrammarKind kGrammarKinds[] = {
    GrammarKind::none, GrammarKind::json_object, GrammarKind::json_schema, GrammarKind::regex,
    GrammarKind::lark, GrammarKind::choice,      GrammarKind::tools};

constexpr Field<GrammarSpec> kGrammar[] = {
    field<&GrammarSpec::kind>("kind"),
    field<&GrammarSpec::text>("text"),
    field<&GrammarSpec::compact>("compact"),
};
constexpr Field<ReasoningOptions> kReasoning[] = {
    field<&ReasoningOptions::budget>("budget"),
    field<&ReasoningOptions::start>("start"),
    field<&ReasoningOptions::end>("end"),
    field<&ReasoningOptions::message>("message"),
};
constexpr Pooling kPoolings[] = {Pooling::automatic, Pooling::mean, Pooling::last, Pooling::cls};
constexpr Field<LogitBias> kLogitBias[] = {
    field<&LogitBias::id>("id", Need::required),
    field<&LogitBias::bias>("bias", Need::required),
};
}  // namespace

std::string At::text() const {
  std::string place = outer == nullptr ? "" : outer->text();
  if (index >= 0) return place + "[" + std::to_string(index) + "]";
  return place + (place.empty() ? "" : ".") + called(*this);
}

Error wrong_type(const Json& value, const At& at, std::string_view wanted) {
  return {Code::invalid_argument,
          called(at) + " is a value of type " + value.type_name() + ", not " + std::string(wanted),
          at.text(), ""};
}

Error unknown_field(const At& at, std::string_view fix) {
  return {Code::invalid_argument, "there is no field " + called(at), at.text(), std::string(fix)};
}

Error missing_field(const At& at, std::string_view name) {
  return {Code::invalid_argument, called(at) + " has no \"" + std::string(name) + "\"", at.text(),
          ""};
}

Result<> read_value(const Json& value, const At& at, bool& out) {
  if (!value.is_boolean()) return wrong_type(value, at, "true or false");
  out = value.get<bool>();
  return Ok{};
}

Result<> read_value(const Json& value, const At& at, int& out) {
  return read_integer(value, at, out);
}
Result<> read_value(const Json& value, const At& at, int64_t& out) {
  return read_integer(value, at, out);
}
// A seed: all 64 bits, with a sign or without.
Result<> read_value(const Json& value, const At& at, uint64_t& out) {
  if (!value.is_number_integer()) return wrong_type(value, at, "a whole number");
  out = value.is_number_unsigned() ? value.get<uint64_t>()
                                   : static_cast<uint64_t>(value.get<int64_t>());
  return Ok{};
}

Result<> read_value(const Json& value, const At& at, float& out) {
  if (!value.is_number()) return wrong_type(value, at, "a number");
  const double number = value.get<double>();
  if (!(std::abs(number) <= std::numeric_limits<float>::max()))
    return out_of_range(at, "a number of single precision");
  out = static_cast<float>(number);
  return Ok{};
}

Result<> read_value(const Json& value, const At& at, std::string& out) {
  if (!value.is_string()) return wrong_type(value, at, "text");
  out = value.get<std::string>();
  return Ok{};
}

Result<> read_value(const Json& value, const At& at, Numerics& out) {
  return read_name(kNumerics, value, at, out);
}
Result<> read_value(const Json& value, const At& at, KvKind& out) {
  return read_name(kKvKinds, value, at, out);
}
Result<> read_value(const Json& value, const At& at, PackedUse& out) {
  return read_name(kPackedUses, value, at, out);
}

Result<> read_value(const Json& value, const At& at, GrammarKind& out) {
  return read_name(kGrammarKinds, value, at, out);
}
Result<> read_value(const Json& value, const At& at, GrammarSpec& out) {
  return read_fields(kGrammar, value, at, out);
}
Result<> read_value(const Json& value, const At& at, ReasoningOptions& out) {
  return read_fields(kReasoning, value, at, out);
}
Result<> read_value(const Json& value, const At& at, Pooling& out) {
  return read_name(kPoolings, value, at, out);
}
Result<> read_value(const Json& value, const At& at, LogitBias& out) {
  return read_fields(kLogitBias, value, at, out);
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

Json write_value(float value) {
  if (!std::isfinite(value)) return nullptr;
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  double number = 0;
  std::from_chars(digits, end, number);
  return number;
}

Json write_value(Numerics value) { return name(value); }
Json write_value(KvKind value) { return name(value); }
Json write_value(PackedUse value) { return name(value); }

Json write_value(GrammarKind value) { return name(value); }

Json write_value(const GrammarSpec& value) {
  Json object = Json::object();
  write_fields(kGrammar, value, object);
  return object;
}

Json write_value(const ReasoningOptions& value) {
  Json object = Json::object();
  write_fields(kReasoning, value, object);
  return object;
}

Json write_value(Pooling value) { return name(value); }

Json write_value(const std::vector<LogitBias>& value) {
  Json all = Json::array();
  for (const LogitBias& one : value) {
    Json object = Json::object();
    write_fields(kLogitBias, one, object);
    all.push_back(std::move(object));
  }
  return all;
}

}  // namespace quern::c_api
