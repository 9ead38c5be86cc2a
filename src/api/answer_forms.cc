#include "api/answer_forms.h"

#include <algorithm>
#include <utility>

#include "tool_calls/derived_dialect.h"

namespace quern {
namespace {

constexpr size_t kPromptEnd = 32;  // tokens: more than a mark and a line end

std::shared_ptr<const ToolDialect> row(const ToolDialect& known, const std::string& source) {
  auto dialect = std::make_shared<ToolDialect>(known);
  for (CallForm& form : dialect->forms)
    if (source.find(form.id_begin) == std::string::npos) form.id_begin.clear();
  return dialect;
}

}  // namespace

AnswerForms answer_forms(const Result<ChatTemplate>& chat_template) {
  const ToolDialect& hermes = *find_dialect("hermes");
  if (!chat_template) return {row(hermes, ""), {}};
  const std::string& source = chat_template->source();
  AnswerForms forms{nullptr, reasoning_of(source)};
  if (const ToolDialect* known = recognize_dialect(source)) {
    forms.dialect = row(*known, source);
    if (!known->reasoning.start.empty()) forms.reasoning = known->reasoning;
  } else if (auto derived = derive_dialect(*chat_template)) {
    forms.dialect = std::make_shared<ToolDialect>(std::move(*derived));
  } else {
    forms.dialect = row(hermes, "");
  }
  return forms;
}

bool prompt_opens_reasoning(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                            const ReasoningFormat& format) {
  const auto end = prompt.last(std::min(prompt.size(), kPromptEnd));
  std::string text;
  for (const int32_t id : end) text += tokenizer.bytes(id, true);
  return opens_reasoning(text, format);
}

Result<GrammarSpec> grammar_of_tools(const AnswerForms& forms, bool reasoning_open,
                                     const ToolOptions& options, const CheckSchema& check) {
  TRY(const ToolSet tools, ToolSet::parse(options.tools));
  return tool_grammar(*forms.dialect, tools,
                      {.required = options.required,
                       .names = options.names,
                       .parallel = options.parallel,
                       .reasoning = forms.reasoning,
                       .reasoning_open = reasoning_open},
                      check);
}

}  // namespace quern
