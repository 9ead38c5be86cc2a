#include "openai/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <type_traits>

#include "openai/messages.h"

namespace quern::openai {

namespace {

constexpr int kChat = static_cast<int>(Endpoint::chat_completions);
constexpr int kText = static_cast<int>(Endpoint::completions);
constexpr int kBoth = kChat | kText;

constexpr int kMostTopLogprobs = 20;
constexpr size_t kMostStops = 64, kMostStopBytes = 4096;

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

Result<> read_stop(const Json& value, Request& request) {
  const Json list = value.is_array() ? value : Json::array({value});
  if (list.size() > kMostStops) return wrong(fmt::format("has more than {} texts", kMostStops));
  request.options.stop.clear();
  for (const Json& stop : list) {
    if (stop == "") return wrong("has an empty text: give one of at least a byte, or leave it out");
    if (!stop.is_string() || stop.get_ref<const std::string&>().size() > kMostStopBytes)
      return wrong(
          fmt::format("must be a text of 1 to {} bytes or a list of such", kMostStopBytes));
    request.options.stop.push_back(stop.get<std::string>());
  }
  return Ok{};
}

Result<> read_seed(const Json& value, Request& request) {
  if (!value.is_number_integer()) return wrong("must be an integer of 64 bits");
  request.options.sampling.seed = value.is_number_unsigned()
                                      ? value.get<uint64_t>()
                                      : static_cast<uint64_t>(value.get<int64_t>());
  return Ok{};
}

Result<> read_logit_bias(const Json& value, Request& request) {
  if (!value.is_object()) return wrong("must be an object of token ids and numbers");
  request.options.sampling.logit_bias.clear();
  for (const auto& [key, bias] : value.items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      return wrong(fmt::format("'{}' is no token id", key));
    if (!bias.is_number() || !(std::abs(bias.get<double>()) <= 100))
      return wrong("every bias must be a number from -100 to 100");
    request.options.sampling.logit_bias.push_back({id, bias.get<float>()});
  }
  return Ok{};
}

// A chat says whether, then how many; a completion says how many.
Result<> read_logprobs(const Json& value, Request& request) {
  int& n = request.options.sampling.n_probs;
  if (request.endpoint == Endpoint::chat_completions) {
    if (!value.is_boolean()) return wrong("must be true or false");
    n = value.get<bool>() ? 0 : -1;
    return Ok{};
  }
  if (!value.is_number_integer() || value < 0 || value > kMostTopLogprobs)
    return wrong(fmt::format("must be an integer from 0 to {}", kMostTopLogprobs));
  n = value.get<int>();
  return Ok{};
}

Result<> read_top_logprobs(const Json& value, Request& request) {
  if (!value.is_number_integer() || value < 0 || value > kMostTopLogprobs)
    return wrong(fmt::format("must be an integer from 0 to {}", kMostTopLogprobs));
  int& n = request.options.sampling.n_probs;
  if (n < 0 && value > 0) return wrong("needs logprobs to be true");
  if (n >= 0) n = value.get<int>();
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

constexpr double kTokens = INT32_MAX;

const Field kFields[] = {
    {"model", kBoth, read_model},
    {"messages", kChat, read_messages},
    {"tools", kChat, read_tools},
    {"tool_choice", kChat, read_tool_choice},
    {"chat_template_kwargs", kChat, read_template_kwargs},  // vLLM's and llama.cpp's
    {"prompt", kText, read_prompt},
    {"stream", kBoth, read_stream},
    {"max_tokens", kBoth, &GenerateOptions::max_tokens, 0, kTokens},
    {"max_completion_tokens", kChat, &GenerateOptions::max_tokens, 0, kTokens, false},
    {"n", kBoth, &GenerateOptions::n, 1, 128, false},
    {"stop", kBoth, read_stop},
    {"seed", kBoth, read_seed},
    {"temperature", kBoth, &SamplingOptions::temperature, 0, 100},
    {"top_p", kBoth, &SamplingOptions::top_p, 0, 1},
    {"presence_penalty", kBoth, &SamplingOptions::presence_penalty, -100, 100},
    {"frequency_penalty", kBoth, &SamplingOptions::frequency_penalty, -100, 100},
    {"logit_bias", kBoth, read_logit_bias},
    {"response_format", kBoth, read_response_format},
    {"logprobs", kBoth, read_logprobs},
    {"top_logprobs", kChat, read_top_logprobs},
    // Not OpenAI's; names of llama.cpp's and vLLM's servers.
    {"top_k", kBoth, &SamplingOptions::top_k, 0, 1e9},
    {"min_p", kBoth, &SamplingOptions::min_p, 0, 1},
    {"typical_p", kBoth, &SamplingOptions::typical_p, 0, 1},
    {"top_n_sigma", kBoth, &SamplingOptions::top_n_sigma, -1, 100},
    {"xtc_probability", kBoth, &SamplingOptions::xtc_probability, 0, 1},
    {"xtc_threshold", kBoth, &SamplingOptions::xtc_threshold, 0, 1},
    {"dynatemp_range", kBoth, &SamplingOptions::dynatemp_range, 0, 100},
    {"dynatemp_exponent", kBoth, &SamplingOptions::dynatemp_exponent, 0, 100},
    {"min_keep", kBoth, &SamplingOptions::min_keep, 0, 1e6},
    {"repeat_penalty", kBoth, &SamplingOptions::repeat_penalty, 0.01, 100},
    {"repeat_last_n", kBoth, &SamplingOptions::penalty_window, -1, 1e9},
    {"dry_multiplier", kBoth, &SamplingOptions::dry_multiplier, 0, 100},
    {"dry_base", kBoth, &SamplingOptions::dry_base, 1, 100},
    {"dry_allowed_length", kBoth, &SamplingOptions::dry_allowed_length, 1, 1e6},
    {"dry_penalty_last_n", kBoth, &SamplingOptions::dry_window, -1, 1e9},
    {"mirostat", kBoth, &SamplingOptions::mirostat, 0, 2},
    {"mirostat_tau", kBoth, &SamplingOptions::mirostat_tau, 0, 100},
    {"mirostat_eta", kBoth, &SamplingOptions::mirostat_eta, 0, 1},
    {"min_tokens", kBoth, &SamplingOptions::min_tokens, 0, kTokens},
    {"post_sampling_probs", kBoth, &SamplingOptions::post_sampling_probs, 0, 0, false},
    {"priority", kBoth, &GenerateOptions::priority, -1000, 1000, false},
    {"deadline_ms", kBoth, &GenerateOptions::deadline_ms, 0, 1e12, false},
    {"cache_salt", kBoth, &GenerateOptions::cache_salt, 0, 512, false},
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
    {"parallel_tool_calls", kChat, Unsupported{}},
    {"prediction", kChat, Unsupported{}},
    {"reasoning_effort", kChat, Unsupported{}},
    {"stream_options", kBoth, Unsupported{}},
    {"verbosity", kChat, Unsupported{}},
    {"web_search_options", kChat, Unsupported{}},
    {"best_of", kText, Unsupported{}},
    {"echo", kText, Unsupported{}},
    {"suffix", kText, Unsupported{}},
};

Result<> set(float& target, const Json& value, const Field& field) {
  if (!value.is_number() || !(value.get<double>() >= field.least) ||
      !(value.get<double>() <= field.most))
    return wrong(fmt::format("must be a number from {} to {}", field.least, field.most));
  target = value.get<float>();
  return Ok{};
}

// Integers of any width. A number like 3.0 is one, as JavaScript writes them.
template <class T>
requires std::is_integral_v<T> Result<> set(T& target, const Json& value, const Field& field) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= field.least) || !(number <= field.most) || number != std::floor(number))
    return wrong(fmt::format("must be an integer from {:.0f} to {:.0f}", field.least, field.most));
  target = static_cast<T>(number);
  return Ok{};
}

Result<> set(bool& target, const Json& value, const Field&) {
  if (!value.is_boolean()) return wrong("must be true or false");
  target = value.get<bool>();
  return Ok{};
}

Result<> set(std::string& target, const Json& value, const Field& field) {
  if (!value.is_string() ||
      static_cast<double>(value.get_ref<const std::string&>().size()) > field.most)
    return wrong(fmt::format("must be a text of at most {} bytes", field.most));
  target = value.get<std::string>();
  return Ok{};
}

}  // namespace

std::span<const Field> fields() { return kFields; }

Result<> read_field(const Field& field, const Json& value, Request& request) {
  return std::visit(
      [&](const auto& target) -> Result<> {
        using T = std::decay_t<decltype(target)>;
        if constexpr (std::is_same_v<T, Bookkeeping> || std::is_same_v<T, Unsupported>) {
          return Ok{};  // the latter is refused where names are checked
        } else if constexpr (std::is_same_v<T, ReadField>) {
          return target(value, request);
        } else if constexpr (std::is_invocable_v<T, GenerateOptions&>) {
          return set(request.options.*target, value, field);
        } else {
          return set(request.options.sampling.*target, value, field);
        }
      },
      field.target);
}

}  // namespace quern::openai
