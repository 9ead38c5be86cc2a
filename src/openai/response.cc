#include "openai/response.h"

#include <algorithm>

#include "base/check.h"
#include "openai/answer_json.h"
#include "openai/logprobs.h"

namespace quern::openai {

namespace {

TokenTexts texts_of(const Model& model) {
  return {[&model](int32_t id) { return model.token_bytes(id); },
          [&model](int32_t id) { return model.piece(id); }};
}

Json choice_json(const Model& model, const Request& request, int64_t index,
                 const Generation& generation, const Answer& answer) {
  const bool chat = request.endpoint == Endpoint::chat_completions;
  const bool logprobs = request.options.sampling.n_probs >= 0;
  Json choice = {{"index", index}};
  if (chat)
    choice["message"] = answer_json(answer, request);
  else
    choice["text"] = generation.text;
  choice["logprobs"] = nullptr;
  if (logprobs)
    choice["logprobs"] = chat ? chat_logprobs(texts_of(model), generation.logprobs)
                              : text_logprobs(texts_of(model), generation.logprobs);
  choice["finish_reason"] = finish_reason(generation.finish, !answer.calls.empty());
  return choice;
}

// Answers to one prompt share its work: the fewest reused tokens among them is what the prompt
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
  CHECK(!chat || answered.answers.size() == answered.generations.size(),
        "every answer of a chat is taken apart");
  Json json = {{"id", answered.id},
               {"object", chat ? "chat.completion" : "text_completion"},
               {"created", answered.created},
               {"model", answered.model},
               {"choices", Json::array()}};
  for (size_t i = 0; i < answered.generations.size(); ++i)
    json["choices"].push_back(choice_json(model, request, static_cast<int64_t>(i),
                                          answered.generations[i],
                                          chat ? answered.answers[i] : Answer()));
  json["usage"] = usage_json(request, answered);
  std::vector<std::string> notes = request.notes;
  if (!answered.generations.empty()) {  // those of the request: all have them
    const auto& more = answered.generations.front().notes;
    notes.insert(notes.end(), more.begin(), more.end());
  }
  if (!notes.empty()) json["notes"] = notes;
  return json;
}

}  // namespace quern::openai
