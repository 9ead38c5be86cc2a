#include "openai/response.h"

#include <algorithm>

#include "base/check.h"

namespace quern::openai {

namespace {

// Whoever reads this knows two reasons.
const char* reason(Finish finish) { return finish == Finish::stop ? "stop" : "length"; }

Json bytes_json(const std::string& text) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json token_json(const Model& model, int32_t id, float logprob) {
  const std::string text = model.token_bytes(id);
  return {{"token", text}, {"logprob", logprob}, {"bytes", bytes_json(text)}};
}

Json chat_logprobs(const Model& model, const Generation& generation) {
  Json content = Json::array();
  for (const TokenLogprobs& token : generation.logprobs) {
    Json entry = token_json(model, token.id, token.logprob);
    entry["top_logprobs"] = Json::array();
    for (const TokenProb& other : token.top)
      entry["top_logprobs"].push_back(token_json(model, other.id, other.logprob));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

int64_t characters(const std::string& text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

Json text_logprobs(const Model& model, const Generation& generation) {
  Json json = {{"tokens", Json::array()},
               {"token_logprobs", Json::array()},
               {"top_logprobs", Json::array()},
               {"text_offset", Json::array()}};
  int64_t offset = 0;
  for (const TokenLogprobs& token : generation.logprobs) {
    const std::string text = model.token_bytes(token.id);
    Json top = Json::object();
    for (const TokenProb& other : token.top) top[model.token_bytes(other.id)] = other.logprob;
    json["tokens"].push_back(text);
    json["token_logprobs"].push_back(token.logprob);
    json["top_logprobs"].push_back(std::move(top));
    json["text_offset"].push_back(offset);
    offset += characters(text);
  }
  return json;
}

Json choice_json(const Model& model, const Request& request, int64_t index,
                 const Generation& generation) {
  const bool chat = request.endpoint == Endpoint::chat_completions;
  const bool logprobs = request.options.sampling.n_probs >= 0;
  Json choice = {{"index", index}};
  if (chat)
    choice["message"] = {{"role", "assistant"}, {"content", generation.text}, {"refusal", nullptr}};
  else
    choice["text"] = generation.text;
  choice["logprobs"] = nullptr;
  if (logprobs)
    choice["logprobs"] = chat ? chat_logprobs(model, generation) : text_logprobs(model, generation);
  choice["finish_reason"] = reason(generation.finish);
  return choice;
}

// Answers to one prompt share its work: what the luckiest of them reused is not what the prompt
// reused.
Json usage_json(const Request& request, const Answered& answered) {
  int64_t prompt = 0, cached = 0, completion = 0;
  const size_t n = static_cast<size_t>(request.options.n);
  for (size_t i = 0; i < answered.prompt_tokens.size(); ++i) {
    prompt += answered.prompt_tokens[i];
    int64_t least = answered.prompt_tokens[i];
    for (const Generation& generation : answered.generations.subspan(i * n, n))
      least = std::min<int64_t>(least, generation.timings.cached_n);
    cached += least;
  }
  for (const Generation& generation : answered.generations)
    completion += generation.timings.predicted_n;
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

}  // namespace

Json response_json(const Model& model, const Request& request, const Answered& answered) {
  CHECK(answered.generations.size() ==
            answered.prompt_tokens.size() * static_cast<size_t>(request.options.n),
        "every prompt has n answers");
  const bool chat = request.endpoint == Endpoint::chat_completions;
  Json json = {{"id", answered.id},
               {"object", chat ? "chat.completion" : "text_completion"},
               {"created", answered.created},
               {"model", answered.model},
               {"choices", Json::array()}};
  for (size_t i = 0; i < answered.generations.size(); ++i)
    json["choices"].push_back(
        choice_json(model, request, static_cast<int64_t>(i), answered.generations[i]));
  json["usage"] = usage_json(request, answered);
  return json;
}

}  // namespace quern::openai
