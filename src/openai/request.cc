#include "openai/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

#include "openai/fields.h"

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

Error about(const std::string& name, const std::string& what) {
  return {Code::invalid_argument, name + " " + what, name, {}};
}

// A null may stand under any name that OpenAI's API knows: it says that the field is not there.
Result<> check_names(Endpoint endpoint, const Json& body) {
  for (const auto& [key, value] : body.items()) {
    const auto field = std::ranges::find(fields(), std::string_view(key), &Field::name);
    const bool known = field != fields().end();
    if (known && value.is_null()) continue;
    if (!known || !has(*field, endpoint) || std::holds_alternative<Unsupported>(field->target))
      return about(key, fmt::format("is not a field that {} supports", path(endpoint)));
  }
  return Ok{};
}

// The shortest decimal that reads back as the same float.
double as_written(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double number = 0;
  std::from_chars(text, end, number);
  return number;
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

Result<Request> read_request(Endpoint endpoint, const Json& body, const GenerateOptions& defaults) {
  if (!body.is_object())
    return Error{Code::invalid_argument, "the body must be an object", "body", {}};
  TRY_OK(check_names(endpoint, body));
  Request request{.endpoint = endpoint, .options = defaults};
  for (const Field& field : fields()) {
    if (!has(field, endpoint)) continue;
    const auto value = body.find(field.name);
    if (value == body.end() || value->is_null()) continue;
    if (const auto read = read_field(field, *value, request); !read)
      return about(field.name, read.error().what);
  }
  const bool chat = endpoint == Endpoint::chat_completions;
  if (chat && request.messages.empty()) return about("messages", "is missing");
  if (!chat && request.prompts.empty()) return about("prompt", "is missing");
  if (int64_t{request.options.n} * std::ssize(request.prompts) > kMostAnswers)
    return about("n", fmt::format("times the prompts is more than {} answers", kMostAnswers));
  return request;
}

Json options_json(const GenerateOptions& options) {
  Json json = Json::object();
  const auto write = [&](const Field& field, const auto& value) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, float>)
      json[field.name] = as_written(value);
    else
      json[field.name] = value;
  };
  for (const Field& field : fields()) {
    if (!field.written) continue;
    std::visit(
        [&](const auto& target) {
          using T = std::decay_t<decltype(target)>;
          if constexpr (std::is_invocable_v<T, const GenerateOptions&>)
            write(field, options.*target);
          else if constexpr (std::is_invocable_v<T, const SamplingOptions&>)
            write(field, options.sampling.*target);
        },
        field.target);
  }
  if (options.max_tokens < 0) json.erase("max_tokens");  // no limit is the absence of one
  json["seed"] = options.sampling.seed;
  if (!options.stop.empty()) json["stop"] = options.stop;
  if (options.grammar.kind == GrammarKind::json_schema)
    json["response_format"] = {
        {"type", "json_schema"},
        {"json_schema",
         {{"name", "schema"}, {"schema", Json::parse(options.grammar.text, nullptr, false)}}}};
  for (const LogitBias& row : options.sampling.logit_bias)
    json["logit_bias"][std::to_string(row.id)] = as_written(row.bias);
  return json;
}

}  // namespace quern::openai
