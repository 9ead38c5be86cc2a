// How a model's answers are taken apart, by its chat template.
#pragma once
#include <memory>
#include <span>

#include "quern/tools.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "tool_calls/tool_dialect.h"
#include "tool_calls/tool_grammar.h"

namespace quern {

struct AnswerForms {
  std::shared_ptr<const ToolDialect> dialect;
  ReasoningFormat reasoning;
};
// A template that no row knows has the form that it renders calls in; one that renders none, and a
// model without a template, has that of Hermes.
AnswerForms answer_forms(const Result<ChatTemplate>& chat_template);

// Whether the prompt ends inside reasoning.
bool prompt_opens_reasoning(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                            const ReasoningFormat& format);

Result<GrammarSpec> grammar_of_tools(const AnswerForms& forms, bool reasoning_open,
                                     const ToolOptions& options, const CheckSchema& check);

}  // namespace quern
