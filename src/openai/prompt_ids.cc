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

// The format of a response is that of its text. An answer that must be a call has none; where it
// may be one, a grammar of calls and one of the text would be two.
Result<GenerateOptions> answer_options(const Model& model, const Request& request,
                                       std::span<const int32_t> prompt) {
  GenerateOptions options = request.options;
  if (request.chat.tools.empty()) return options;
  ToolOptions tools = request.tools;
  tools.tools = request.chat.tools;
  TRY(GrammarSpec grammar, model.tool_grammar(prompt, tools));
  if (grammar.kind == GrammarKind::none) return options;
  if (options.grammar.kind != GrammarKind::none && !tools.required) {
    return Error{Code::unsupported,
                 "response_format cannot be held beside tools that are strict, chosen or not "
                 "parallel",
                 "response_format",
                 {}};
  }
  options.grammar = std::move(grammar);
  return options;
}

}  // namespace quern::openai
