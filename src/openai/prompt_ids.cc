#include "openai/request.h"

#include <utility>

namespace quern::openai {

Result<std::vector<std::vector<int32_t>>> prompt_ids(const Model& model, const Request& request) {
  std::vector<std::vector<int32_t>> prompts;
  if (request.endpoint == Endpoint::chat_completions) {
    TRY(auto ids, model.chat_prompt(request.messages, request.chat));
    prompts.push_back(std::move(ids));
  }
  for (const Prompt& prompt : request.prompts) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&prompt)) {
      prompts.push_back(*ids);
    } else {
      TRY(auto read, model.tokenize(std::get<std::string>(prompt), true));
      prompts.push_back(std::move(read));
    }
  }
  return prompts;
}

}  // namespace quern::openai
