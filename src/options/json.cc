#include "options/json.h"

#include <charconv>

#include "base/same_name.h"

namespace quern::options {
namespace {

Error with_place(Error error, const At& at) {
  error.where = at.text();
  return error;
}

Result<> placed(Result<> outcome, const At& at) {
  if (!outcome) return with_place(outcome.error(), at);
  return Ok{};
}

std::string wanted(const JsonValue& json, const char* kind) {
  return std::string(kind) + ", " + range_text(json.limits);
}

Error too_far(const JsonValue& json) {
  const std::string value =
      json.value.is_number_float() ? number_text(json.value.get<double>()) : json.value.dump();
  return with_place(out_of_range(json.at.called(), value, json.limits), json.at);
}

template <class Whole>
Result<> read_whole(const JsonValue& json, Whole& out) {
  const Json& value = json.value;
  if (value.is_number_float() && json.shape == Shape::openai) {
    const auto number = value.get<double>();
    if (number == std::floor(number)) {
      if (!(number >= json.limits.least && number <= json.limits.most)) return too_far(json);
      out = static_cast<Whole>(number);
      return Ok{};
    }
  }
  if (!value.is_number_integer()) return wrong_type(value, json.at, wanted(json, "a whole number"));
  // A JSON integer is held unsigned where it is not negative.
  if (value.is_number_unsigned() && !std::in_range<int64_t>(value.get<uint64_t>()))
    return too_far(json);
  if (!within(json.limits, value.get<int64_t>())) return too_far(json);
  out = value.get<Whole>();
  return Ok{};
}

template <class T, class Read>
Result<> read_list(const JsonValue& json, std::vector<T>& out, const Read& read) {
  if (!json.value.is_array()) return wrong_type(json.value, json.at, "an array");
  std::vector<T> all;
  all.reserve(json.value.size());
  for (const Json& element : json.value) {
    const At place{.outer = &json.at, .index = static_cast<int64_t>(all.size())};
    T one{};
    TRY_OK(read(element, place, one));
    all.push_back(std::move(one));
  }
  TRY_OK(placed(check(json.at.called(), json.limits, all), json.at));
  out = std::move(all);
  return Ok{};
}

Result<> read_id(const Json& value, const At& at, int32_t& out) {
  constexpr Limits kIds = numbers(INT32_MIN, INT32_MAX);
  return read_json({value, at, kIds}, out);
}

Result<> read_bias(const Json& value, const At& at, const Limits& limits, LogitBias& out) {
  if (!value.is_object()) return wrong_type(value, at, "an object");
  const auto field = [&](const char* name) {
    const auto found = value.find(name);
    return found == value.end() ? nullptr : &*found;
  };
  for (const auto& [name, unused] : value.items())
    if (name != "id" && name != "bias")
      return unknown_field({.outer = &at, .name = name}, "there are: id, bias");
  const Json *id = field("id"), *bias = field("bias");
  if (!id || !bias) return missing_field(at, id ? "bias" : "id");
  TRY_OK(read_id(*id, {.outer = &at, .name = "id"}, out.id));
  const At place{.outer = &at, .name = "bias"};
  return read_json({*bias, place, limits}, out.bias);
}

// {"7": -1.5}
Result<> read_bias_members(const JsonValue& json, std::vector<LogitBias>& out) {
  if (!json.value.is_object())
    return wrong_type(json.value, json.at, "an object of token ids and numbers");
  std::vector<LogitBias> all;
  for (const auto& [key, bias] : json.value.items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      return Error{Code::invalid_argument,
                   json.at.called() + ": '" + short_name(key) + "' is no token id",
                   json.at.text(),
                   {}};
    const At place{.outer = &json.at, .name = key};
    LogitBias one{.id = id, .bias = 0};
    TRY_OK(read_json({bias, place, json.limits, json.shape}, one.bias));
    all.push_back(one);
  }
  TRY_OK(placed(check(json.at.called(), json.limits, all), json.at));
  out = std::move(all);
  return Ok{};
}

}  // namespace

std::string At::called() const {
  if (index >= 0) return "element " + std::to_string(index);
  return short_name(name);
}

std::string At::text() const {
  std::string place = outer == nullptr ? "" : outer->text();
  if (index >= 0) return place + "[" + std::to_string(index) + "]";
  return place + (place.empty() ? "" : ".") + called();
}

std::string short_name(std::string_view name) {
  constexpr size_t kMost = 64;
  if (name.size() <= kMost) return std::string(name);
  size_t n = kMost;
  while (n > 0 && (static_cast<unsigned char>(name[n]) & 0xc0u) == 0x80u) --n;  // not inside of one
  return std::string(name.substr(0, n)) + "...";
}

Error wrong_type(const Json& value, const At& at, std::string_view wanted) {
  return {Code::invalid_argument,
          at.called() + " is a value of type " + value.type_name() + ", not " + std::string(wanted),
          at.text(), ""};
}

Error unknown_field(const At& at, std::string_view fix) {
  return {Code::invalid_argument, "there is no field " + at.called(), at.text(), std::string(fix)};
}

Error missing_field(const At& at, std::string_view name) {
  return {Code::invalid_argument, at.called() + " has no \"" + std::string(name) + "\"", at.text(),
          ""};
}

Result<> read_json(const JsonValue& json, bool& out) {
  if (!json.value.is_boolean()) return wrong_type(json.value, json.at, "true or false");
  out = json.value.get<bool>();
  return Ok{};
}

Result<> read_json(const JsonValue& json, int& out) { return read_whole(json, out); }
Result<> read_json(const JsonValue& json, int64_t& out) { return read_whole(json, out); }

Result<> read_json(const JsonValue& json, uint64_t& out) {
  const Json& value = json.value;
  if (!value.is_number_integer()) return wrong_type(value, json.at, "a whole number of 64 bits");
  out = value.is_number_unsigned() ? value.get<uint64_t>()
                                   : static_cast<uint64_t>(value.get<int64_t>());
  return Ok{};
}

Result<> read_json(const JsonValue& json, float& out) {
  const Json& value = json.value;
  if (!value.is_number()) return wrong_type(value, json.at, wanted(json, "a number"));
  const float number = to_float(value.get<double>());
  if (!within(json.limits, number)) return too_far(json);
  out = number;
  return Ok{};
}

Result<> read_json(const JsonValue& json, std::string& out) {
  if (!json.value.is_string()) return wrong_type(json.value, json.at, "text");
  const auto& text = json.value.get_ref<const std::string&>();
  TRY_OK(placed(check(json.at.called(), json.limits, text), json.at));
  out = text;
  return Ok{};
}

Result<> read_json(const JsonValue& json, std::vector<std::string>& out) {
  if (json.shape == Shape::openai && !json.value.is_array()) {
    if (!json.value.is_string())
      return wrong_type(json.value, json.at, "text or an array of texts");
    return read_json({Json::array({json.value}), json.at, json.limits}, out);
  }
  return read_list(json, out, [](const Json& value, const At& at, std::string& text) -> Result<> {
    if (!value.is_string()) return wrong_type(value, at, "text");
    text = value.get<std::string>();
    return Ok{};
  });
}

Result<> read_json(const JsonValue& json, std::vector<int32_t>& out) {
  return read_list(json, out, read_id);
}

Result<> read_json(const JsonValue& json, std::vector<LogitBias>& out) {
  if (json.shape == Shape::openai) return read_bias_members(json, out);
  return read_list(json, out, [&](const Json& value, const At& at, LogitBias& bias) {
    return read_bias(value, at, json.limits, bias);
  });
}

Result<int> read_name(const JsonValue& json, std::span<const char* const> names) {
  if (!json.value.is_string()) return wrong_type(json.value, json.at, "a name");
  const auto& text = json.value.get_ref<const std::string&>();
  for (size_t i = 0; i < names.size(); ++i)
    if (same_name(text, names[i])) return static_cast<int>(i);
  return with_place(unknown_name(json.at.called(), text, names), json.at);
}

Json to_json(float value) {
  if (!std::isfinite(value)) return nullptr;
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  double number = 0;
  std::from_chars(digits, end, number);
  return number;
}

Json to_json(const std::vector<LogitBias>& value, Shape shape) {
  Json all = shape == Shape::c ? Json::array() : Json::object();
  for (const LogitBias& one : value) {
    if (shape == Shape::c)
      all.push_back({{"id", one.id}, {"bias", to_json(one.bias)}});
    else
      all.get_ref<Json::object_t&>().emplace_back(std::to_string(one.id), to_json(one.bias));
  }
  return all;
}

Json default_options(const Schema& schema) {
  const GenerateOptions defaults;
  Json load = Json::object(), request = Json::object(), embed = Json::object();
  Json reasoning = Json::object(), grammar = Json::object();
  write_object(schema.load, LoadOptions(), load);
  write_object(schema.generate, defaults, request);
  write_object(schema.reasoning, defaults.reasoning, reasoning);
  write_object(schema.grammar, defaults.grammar, grammar);
  request["reasoning"] = std::move(reasoning);
  request["grammar"] = std::move(grammar);
  write_object(schema.sampling, defaults.sampling, request);
  write_object(schema.embed, EmbedOptions(), embed);
  return {{"load", std::move(load)}, {"request", std::move(request)}, {"embed", std::move(embed)}};
}

}  // namespace quern::options
