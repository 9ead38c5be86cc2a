#include "openai/request.h"

#include <fmt/format.h>

#include <array>

#include "openai/fields.h"
#include "options/json.h"

namespace quern::openai {

namespace {

struct Route {
  Endpoint endpoint;
  const char* path;
};
constexpr Route kRoutes[] = {{Endpoint::chat_completions, "/v1/chat/completions"},
                             {Endpoint::completions, "/v1/completions"}};

bool has(const Field& field, Endpoint endpoint) {
  return (field.endpoints & static_cast<int>(endpoint)) != 0;
}

Error about(std::string_view name, const std::string& what) {
  const std::string field(name);
  const bool named = what.starts_with(field + " ");
  return {Code::invalid_argument, named ? what : field + " " + what, field, {}};
}

// Of an option, whose errors name what they are about: the field or an element of it.
Error about_option(const char* name, const std::string& what) {
  const bool named = what.starts_with(name);
  return {Code::invalid_argument, named ? what : std::string(name) + ": " + what, name, {}};
}

// The names of an option that is read by its row alone; the second is of chats.
template <class T>
std::array<const char*, 2> names_of(const options::Option<T>& option) {
  if (option.names.openai && find_field(option.names.openai)) return {nullptr, nullptr};
  return {option.names.openai, option.names.openai_chat};
}

bool is_option(const options::Schema& schema, std::string_view name, Endpoint endpoint) {
  const bool chat = endpoint == Endpoint::chat_completions;
  static const GenerateOptions kAny;
  return options::any_option(schema, kAny, [&](const auto& option, const auto&) {
    const auto [both, of_chat] = names_of(option);
    return (both && both == name) || (chat && of_chat && of_chat == name);
  });
}

// A null may stand under any name that OpenAI's API knows: it says that the field is not there.
Result<> check_names(const options::Schema& schema, Endpoint endpoint, const Json& body) {
  for (const auto& [key, value] : body.items()) {
    const Field* field = find_field(key);
    if (value.is_null() && (field || is_option(schema, key, Endpoint::chat_completions))) continue;
    const bool supported =
        field ? has(*field, endpoint) && !std::holds_alternative<Unsupported>(field->target)
              : is_option(schema, key, endpoint);
    if (!supported)
      return about(key, fmt::format("is not a field that {} supports", path(endpoint)));
  }
  return Ok{};
}

const Json* given(const Json& body, const char* name) {
  const auto value = name ? body.find(name) : body.end();
  return value == body.end() || value->is_null() ? nullptr : &*value;
}

Result<> read_options(const options::Schema& schema, const Json& body, Request& request) {
  Result<> outcome = Ok{};
  const bool chat = request.endpoint == Endpoint::chat_completions;
  const auto fails = [&](const auto& option, auto& part, const char* name) {
    const Json* value = given(body, name);
    if (!value) return false;
    if (const auto one = options::read_json(option, *value, {.name = name}, part,
                                            options::Shape::openai, option.names.openai_limits);
        !one)
      outcome = about_option(name, one.error().what);
    return !outcome;
  };
  options::any_option(schema, request.options, [&](const auto& option, auto& part) {
    const auto [both, of_chat] = names_of(option);
    return fails(option, part, both) || (chat && fails(option, part, of_chat));
  });
  return outcome;
}

}  // namespace

const char* path(Endpoint endpoint) {
  for (const Route& route : kRoutes)
    if (route.endpoint == endpoint) return route.path;
  return "";
}

std::optional<Endpoint> endpoint_of(std::string_view path) {
  for (const Route& route : kRoutes)
    if (path == route.path) return route.endpoint;
  return std::nullopt;
}

Result<Request> read_request(Endpoint endpoint, const Json& body, const GenerateOptions& defaults,
                             const options::Schema& schema) {
  if (!body.is_object())
    return Error{Code::invalid_argument, "the body must be an object", "body", {}};
  TRY_OK(check_names(schema, endpoint, body));
  Request request{.endpoint = endpoint, .options = defaults};
  for (const Field& field : fields()) {
    const auto* read = std::get_if<ReadField>(&field.target);
    const Json* value = has(field, endpoint) ? given(body, field.name) : nullptr;
    if (!read || !value) continue;
    if (const auto outcome = (*read)(*value, request); !outcome)
      return about(field.name, outcome.error().what);
  }
  TRY_OK(read_options(schema, body, request));
  const bool chat = endpoint == Endpoint::chat_completions;
  if (chat && request.messages.empty()) return about("messages", "is missing");
  if (!chat && request.prompts.empty()) return about("prompt", "is missing");
  if (int64_t{request.options.n} * std::ssize(request.prompts) > kMostAnswers)
    return about("n", fmt::format("times the prompts is more than {} answers", kMostAnswers));
  return request;
}

Json options_json(const GenerateOptions& wanted, const options::Schema& schema) {
  Json json = Json::object();
  options::any_option(schema, wanted, [&](const auto& option, const auto& part) {
    const char* name = names_of(option)[0];
    if (!name || option.group == options::Group::none) return false;
    Json value = options::to_json(option, part, options::Shape::openai);
    // What OpenAI's API has no value for is the absence of one.
    const options::Limits* limits = option.names.openai_limits;
    const bool absent = value.is_structured() ? value.empty()
                                              : limits && value.is_number() &&
                                                    value.template get<double>() < limits->least;
    if (!absent) json[name] = std::move(value);
    return false;
  });
  if (wanted.grammar.kind == GrammarKind::json_schema)
    json["response_format"] = {
        {"type", "json_schema"},
        {"json_schema",
         {{"name", "schema"}, {"schema", Json::parse(wanted.grammar.text, nullptr, false)}}}};
  return json;
}

}  // namespace quern::openai
