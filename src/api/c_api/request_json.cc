#include "api/c_api/request_json.h"

#include <utility>

#include "api/c_api/json_fields.h"
#include "api/message_json.h"

namespace quern::c_api {
namespace {

constexpr Field<LoadOptions> kLoad[] = {
    field<&LoadOptions::threads>("threads"),
    field<&LoadOptions::numerics>("numerics"),
    field<&LoadOptions::kv>("kv"),
    field<&LoadOptions::context>("context"),
    field<&LoadOptions::max_batch>("max_batch"),
    field<&LoadOptions::isa>("isa"),
    field<&LoadOptions::pin>("pin"),
    field<&LoadOptions::deterministic>("deterministic"),
    field<&LoadOptions::prefix_folder>("prefix_folder"),
    field<&LoadOptions::prefix_bytes>("prefix_bytes"),
    field<&LoadOptions::draft_model>("draft_model"),
    field<&LoadOptions::most_drafts>("most_drafts"),
    field<&LoadOptions::max_waiting>("max_waiting"),
    field<&LoadOptions::tuning>("tuning"),
    field<&LoadOptions::packed_cache>("packed_cache"),
};

constexpr Field<GenerateOptions> kGenerate[] = {
    field<&GenerateOptions::max_tokens>("max_tokens"),
    field<&GenerateOptions::stop>("stop"),
    field<&GenerateOptions::stop_ids>("stop_ids"),
    field<&GenerateOptions::ignore_eos>("ignore_eos"),
    field<&GenerateOptions::grammar>("grammar"),
    field<&GenerateOptions::reasoning>("reasoning"),
    field<&GenerateOptions::n>("n"),
    field<&GenerateOptions::speculate>("speculate"),
    field<&GenerateOptions::priority>("priority"),
    field<&GenerateOptions::client>("client"),
    field<&GenerateOptions::deadline_ms>("deadline_ms"),
    field<&GenerateOptions::cache_salt>("cache_salt"),
};

constexpr Field<SamplingOptions> kSampling[] = {
    field<&SamplingOptions::temperature>("temperature"),
    field<&SamplingOptions::top_k>("top_k"),
    field<&SamplingOptions::top_p>("top_p"),
    field<&SamplingOptions::min_p>("min_p"),
    field<&SamplingOptions::repeat_penalty>("repeat_penalty"),
    field<&SamplingOptions::presence_penalty>("presence_penalty"),
    field<&SamplingOptions::frequency_penalty>("frequency_penalty"),
    field<&SamplingOptions::penalty_window>("penalty_window"),
    field<&SamplingOptions::seed>("seed"),
    field<&SamplingOptions::dynatemp_range>("dynatemp_range"),
    field<&SamplingOptions::dynatemp_exponent>("dynatemp_exponent"),
    field<&SamplingOptions::typical_p>("typical_p"),
    field<&SamplingOptions::top_n_sigma>("top_n_sigma"),
    field<&SamplingOptions::xtc_probability>("xtc_probability"),
    field<&SamplingOptions::xtc_threshold>("xtc_threshold"),
    field<&SamplingOptions::min_keep>("min_keep"),
    field<&SamplingOptions::dry_multiplier>("dry_multiplier"),
    field<&SamplingOptions::dry_base>("dry_base"),
    field<&SamplingOptions::dry_allowed_length>("dry_allowed_length"),
    field<&SamplingOptions::dry_window>("dry_window"),
    field<&SamplingOptions::dry_breakers>("dry_breakers"),
    field<&SamplingOptions::mirostat>("mirostat"),
    field<&SamplingOptions::mirostat_tau>("mirostat_tau"),
    field<&SamplingOptions::mirostat_eta>("mirostat_eta"),
    field<&SamplingOptions::adaptive_target>("adaptive_target"),
    field<&SamplingOptions::adaptive_decay>("adaptive_decay"),
    field<&SamplingOptions::logit_bias>("logit_bias"),
    field<&SamplingOptions::banned>("banned"),
    field<&SamplingOptions::allowed>("allowed"),
    field<&SamplingOptions::min_tokens>("min_tokens"),
    field<&SamplingOptions::samplers>("samplers"),
    field<&SamplingOptions::n_probs>("n_probs"),
    field<&SamplingOptions::post_sampling_probs>("post_sampling_probs"),
};

constexpr Field<EmbedOptions> kEmbed[] = {
    field<&EmbedOptions::pooling>("pooling"),
    field<&EmbedOptions::normalize>("normalize"),
    field<&EmbedOptions::dimensions>("dimensions"),
};

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
Result<> read_request_field(const Json& value, const At& at, GenerateRequest& out) {
  const bool given = !value.is_null();
  if (const auto* row = find_request_field(at.name))
    return given ? row->read(value, at, out) : Ok{};
  if (const auto* row = find_field(kGenerate, at.name))
    return given ? row->read(value, at, out.options) : Ok{};
  if (const auto* row = find_field(kSampling, at.name))
    return given ? row->read(value, at, out.options.sampling) : Ok{};
  return unknown_field(at, "quern_default_options_json lists them");
}

}  // namespace

Result<GenerateRequest> read_request(std::string_view json) {
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
    TRY_OK(read_request_field(inner, {.outer = &at, .name = name}, request));
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
  TRY_OK(read_fields(kEmbed, value, at, request.options));
  return request;
}

Result<LoadOptions> read_load_options(std::string_view json) {
  const At at{.name = "options"};
  TRY(const Json value, parse_json(json, at.name));
  LoadOptions options;
  TRY_OK(read_fields(kLoad, value, at, options));
  return options;
}

Result<Messages> read_messages(std::string_view json) {
  const At at{.name = "messages"};
  TRY(const Json value, parse_json(json, at.name));
  Messages messages;
  TRY_OK(read_value(value, at, messages));
  return messages;
}

Json default_options() {
  Json load = Json::object();
  write_fields(kLoad, LoadOptions(), load);
  Json request = Json::object();
  request["special"] = GenerateRequest().special;
  request["tools"] = nullptr;
  request["chat_template_kwargs"] = nullptr;
  write_fields(kGenerate, GenerateOptions(), request);
  write_fields(kSampling, SamplingOptions(), request);
  Json embed = Json::object();
  write_fields(kEmbed, EmbedOptions(), embed);
  return {{"load", std::move(load)}, {"request", std::move(request)}, {"embed", std::move(embed)}};
}

}  // namespace quern::c_api
