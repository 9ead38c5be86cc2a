#include "openai/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "openai/messages.h"
#include "options/json.h"

namespace quern::openai {

namespace {

constexpr int kChat = static_cast<int>(Endpoint::chat_completions);
constexpr int kText = static_cast<int>(Endpoint::completions);
constexpr int kBoth = kChat | kText;

Error wrong(std::string must) { return {Code::invalid_argument, std::move(must), {}, {}}; }

// A member of an object; null where it is left out. One that is null counts as left out: everything
// that reads a member goes through this, so that the rule stands in one place.
const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

Result<std::vector<int32_t>> read_ids(const Json& value) {
  std::vector<int32_t> ids;
  ids.reserve(value.size());
  for (const Json& id : value) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
      return wrong("must be a text, a list of token ids, or a list of those");
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Result<> read_prompt(const Json& value, Request& request) {
  if (value.is_string()) return request.prompts.emplace_back(value.get<std::string>()), Ok{};
  if (!value.is_array() || value.empty())
    return wrong("must be a text, a list of token ids, or a list of those");
  if (value.front().is_number()) {
    TRY(auto ids, read_ids(value));
    request.prompts.emplace_back(std::move(ids));
    return Ok{};
  }
  if (value.size() > kMostPrompts)
    return wrong(fmt::format("has more than {} prompts", kMostPrompts));
  for (const Json& prompt : value) {
    if (prompt.is_string()) {
      request.prompts.emplace_back(prompt.get<std::string>());
    } else if (prompt.is_array()) {
      TRY(auto ids, read_ids(prompt));
      request.prompts.emplace_back(std::move(ids));
    } else {
      return wrong("must be a text, a list of token ids, or a list of those");
    }
  }
  return Ok{};
}

Result<> read_model(const Json& value, Request& request) {
  if (!value.is_string()) return wrong("must be a text");
  request.model = value.get<std::string>();
  return Ok{};
}

Result<> read_stream(const Json& value, Request& request) {
  if (!value.is_boolean()) return wrong("must be true or false");
  request.stream = value.get<bool>();
  return Ok{};
}

// As many of the likeliest as the option's limits here allow.
Result<> read_n_probs(const char* name, const Json& value, int& n) {
  static const auto& kOption = *options::find(options::schema().sampling, "n_probs");
  SamplingOptions read;
  TRY_OK(options::read_json(kOption, value, {.name = name}, read, options::Shape::openai,
                            kOption.names.openai_limits));
  n = read.n_probs;
  return Ok{};
}

// A chat says whether, then how many; a completion says how many.
Result<> read_logprobs(const Json& value, Request& request) {
  int& n = request.options.sampling.n_probs;
  if (request.endpoint != Endpoint::chat_completions) return read_n_probs("logprobs", value, n);
  if (!value.is_boolean()) return wrong("must be true or false");
  n = value.get<bool>() ? 0 : -1;
  return Ok{};
}

Result<> read_top_logprobs(const Json& value, Request& request) {
  int wanted = 0;
  TRY_OK(read_n_probs("top_logprobs", value, wanted));
  int& n = request.options.sampling.n_probs;
  if (n < 0 && wanted > 0) return wrong("needs logprobs to be true");
  if (n >= 0) n = wanted;
  return Ok{};
}

// Held to, whether "strict" or not.
Result<> read_response_format(const Json& value, Request& request) {
  GrammarSpec& grammar = request.options.grammar;
  const Json* type = member(value, "type");
  if (!type) return wrong("must be an object with a type");
  if (*type == "text") return grammar = {}, Ok{};
  if (*type == "json_object") return grammar = {.kind = GrammarKind::json_object}, Ok{};
  if (*type != "json_schema") return wrong("has a type that is not text, json_object, json_schema");
  const Json* named = member(value, "json_schema");
  const Json* schema = named ? member(*named, "schema") : nullptr;
  if (!schema) return wrong("has no json_schema.schema");
  grammar = {.kind = GrammarKind::json_schema, .text = schema->dump()};
  return Ok{};
}

const Field kFields[] = {
    {"model", kBoth, read_model},
    {"messages", kChat, read_messages},
    {"tools", kChat, read_tools},
    {"tool_choice", kChat, read_tool_choice},
    {"parallel_tool_calls", kChat, read_parallel_tool_calls},
    {"chat_template_kwargs", kChat, read_template_kwargs},  // vLLM's and llama.cpp's
    {"prompt", kText, read_prompt},
    {"stream", kBoth, read_stream},
    {"response_format", kBoth, read_response_format},
    {"logprobs", kBoth, read_logprobs},
    {"top_logprobs", kChat, read_top_logprobs},
    {"user", kBoth, Bookkeeping{}},
    {"metadata", kBoth, Bookkeeping{}},
    {"store", kBoth, Bookkeeping{}},
    {"service_tier", kBoth, Bookkeeping{}},
    {"safety_identifier", kBoth, Bookkeeping{}},
    {"prompt_cache_key", kBoth, Bookkeeping{}},
    {"prompt_cache_retention", kBoth, Bookkeeping{}},
    // SDKs send these as null.
    {"audio", kChat, Unsupported{}},
    {"function_call", kChat, Unsupported{}},
    {"functions", kChat, Unsupported{}},
    {"modalities", kChat, Unsupported{}},
    {"prediction", kChat, Unsupported{}},
    {"reasoning_effort", kChat, Unsupported{}},
    {"stream_options", kBoth, Unsupported{}},
    {"verbosity", kChat, Unsupported{}},
    {"web_search_options", kChat, Unsupported{}},
    {"best_of", kText, Unsupported{}},
    {"echo", kText, Unsupported{}},
    {"suffix", kText, Unsupported{}},
};

}  // namespace

std::span<const Field> fields() { return kFields; }

const Field* find_field(std::string_view name) {
  const auto field = std::ranges::find(kFields, name, &Field::name);
  return field == std::end(kFields) ? nullptr : field;
}

}  // namespace quern::openai
