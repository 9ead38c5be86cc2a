#include "api/c_api/request_json.h"

#include <utility>

#include "api/c_api/json_fields.h"
#include "api/message_json.h"

namespace quern::c_api {
namespace {

Result<> read_prompt(const Json& value, const At& at, GenerateRequest& out) {
  if (value.is_string()) return read_value(value, at, out.prompt.emplace<std::string>());
  if (value.is_array()) return read_value(value, at, out.prompt.emplace<Ids>());
  return wrong_type(value, at, "text or an array of token ids");
}

Result<> read_conversation(const Json& value, const At& at, GenerateRequest& out) {
  return read_value(value, at, out.prompt.emplace<Messages>());
}

Result<> read_tools(const Json& value, const At& at, GenerateRequest& out) {
  auto tools = quern::read_tools(value);
  if (!tools) return Error{Code::invalid_argument, tools.error().what, at.text(), ""};
  out.tools = std::move(*tools);
  return Ok{};
}

Result<> read_template_kwargs(const Json& value, const At& at, GenerateRequest& out) {
  out.template_kwargs = value.dump();
  const auto checked = check_template_kwargs(out.template_kwargs);
  if (!checked) return Error{Code::invalid_argument, checked.error().what, at.text(), ""};
  return Ok{};
}

struct RequestField {
  std::string_view name;
  Result<> (*read)(const Json&, const At&, GenerateRequest&);
};

// What a request has beside options.
constexpr RequestField kRequest[] = {
    {"prompt", read_prompt},
    {"messages", read_conversation},
    {"tools", read_tools},
    {"chat_template_kwargs", read_template_kwargs},
    {"special", [](const Json& value, const At& at,
                   GenerateRequest& out) { return read_value(value, at, out.special); }},
};

const RequestField* find_request_field(std::string_view name) {
  for (const RequestField& row : kRequest)
    if (row.name == name) return &row;
  return nullptr;
}

// Texts, or tokens, or some of each.
Result<> read_texts(const Json& value, const At& at, EmbedRequest& out) {
  if (!value.is_array()) return wrong_type(value, at, "an array");
  for (const Json& text : value) {
    const At place{.outer = &at, .index = std::ssize(out.texts)};
    auto& into = out.texts.emplace_back();
    if (text.is_string()) {
      TRY_OK(read_value(text, place, into.emplace<std::string>()));
    } else if (text.is_array()) {
      TRY_OK(read_value(text, place, into.emplace<Ids>()));
    } else {
      return wrong_type(text, place, "text or an array of token ids");
    }
  }
  return Ok{};
}

// A field that is null is as one that is not there.
Result<> read_request_field(const options::Schema& schema, const Json& value, const At& at,
                            GenerateRequest& out) {
  const bool given = !value.is_null();
  if (const auto* row = find_request_field(at.name))
    return given ? row->read(value, at, out) : Ok{};
  GenerateOptions& options = out.options;
  const auto nested = [&](const auto& rows, auto& part) {
    return given ? options::read_object(rows, value, at, part) : Ok{};
  };
  if (at.name == "reasoning") return nested(schema.reasoning, options.reasoning);
  if (at.name == "grammar") return nested(schema.grammar, options.grammar);
  const auto plain = [&](const auto& option, auto& part) {
    return given ? options::read_json(option, value, at, part) : Ok{};
  };
  if (const auto* option = options::find(schema.generate, at.name)) return plain(*option, options);
  if (const auto* option = options::find(schema.sampling, at.name))
    return plain(*option, options.sampling);
  return unknown_field(at, "quern_default_options_json lists them");
}

}  // namespace

Result<GenerateRequest> read_request(std::string_view json, const options::Schema& schema) {
  const At at{.name = "request"};
  TRY(const Json value, parse_json(json, at.name));
  if (!value.is_object()) return wrong_type(value, at, "an object");
  const auto given = [&](const char* name) {
    const auto field = value.find(name);
    return field != value.end() && !field->is_null();
  };
  if (given("prompt") == given("messages")) {
    return Error{Code::invalid_argument, "a request has either \"prompt\" or \"messages\"",
                 at.text(), ""};
  }
  GenerateRequest request;
  for (const auto& [name, inner] : value.items())
    TRY_OK(read_request_field(schema, inner, {.outer = &at, .name = name}, request));
  if (given("prompt") && !(request.tools.empty() && request.template_kwargs.empty())) {
    return Error{Code::invalid_argument,
                 "\"tools\" and \"chat_template_kwargs\" are of a conversation", at.text(),
                 "give \"messages\""};
  }
  return request;
}

Result<Conversation> read_conversation(std::string_view json) {
  const At at{.name = "request"};
  TRY(const Json value, parse_json(json, at.name));
  if (!value.is_object()) return wrong_type(value, at, "an object");
  GenerateRequest request;
  for (const auto& [name, inner] : value.items()) {
    const At place{.outer = &at, .name = name};
    const RequestField* row = find_request_field(name);
    if (row == nullptr || name == "prompt")
      return unknown_field(place, "there are: messages, special, tools, chat_template_kwargs");
    if (!inner.is_null()) TRY_OK(row->read(inner, place, request));
  }
  auto* messages = std::get_if<Messages>(&request.prompt);
  if (messages == nullptr) return missing_field(at, "messages");
  return Conversation{std::move(*messages),
                      {.special = request.special,
                       .tools = std::move(request.tools),
                       .template_kwargs = std::move(request.template_kwargs)}};
}

Result<EmbedRequest> read_embed_request(std::string_view json) {
  const At at{.name = "request"};
  TRY(Json value, parse_json(json, at.name));
  if (!value.is_object()) return wrong_type(value, at, "an object");
  const auto texts = value.find("texts");
  if (texts == value.end() || texts->is_null())
    return Error{Code::invalid_argument, "a request has \"texts\"", at.text(), ""};
  EmbedRequest request;
  TRY_OK(read_texts(*texts, {.outer = &at, .name = "texts"}, request));
  value.erase(texts);
  TRY_OK(options::read_object(options::schema().embed, value, at, request.options));
  return request;
}

Result<LoadOptions> read_load_options(std::string_view json, const options::Schema& schema) {
  const At at{.name = "options"};
  TRY(const Json value, parse_json(json, at.name));
  LoadOptions options;
  TRY_OK(options::read_object(schema.load, value, at, options));
  return options;
}

Result<Messages> read_messages(std::string_view json) {
  const At at{.name = "messages"};
  TRY(const Json value, parse_json(json, at.name));
  Messages messages;
  TRY_OK(read_value(value, at, messages));
  return messages;
}

Json default_options(const options::Schema& schema) {
  Json all = options::default_options(schema);
  Json& request = all["request"];
  request["special"] = GenerateRequest().special;
  request["tools"] = nullptr;
  request["chat_template_kwargs"] = nullptr;
  return all;
}

}  // namespace quern::c_api
