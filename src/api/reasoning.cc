#include "api/reasoning.h"

#include <algorithm>
#include <utility>

namespace quern {

Result<std::optional<ReasoningBudget>> reasoning_budget(const Result<Tokenizer>& tokenizer,
                                                        const ReasoningOptions& options,
                                                        std::span<const int32_t> prompt) {
  if (options.budget == -1) return std::optional<ReasoningBudget>();
  if (!tokenizer) return tokenizer.error();
  ReasoningMarks marks;
  const struct {
    const std::string& text;
    std::vector<int32_t>& ids;
    bool may_be_empty;
  } kTexts[] = {{options.start, marks.start, false},
                {options.end, marks.end, false},
                {options.message, marks.message, true}};
  for (const auto& one : kTexts) {
    TRY(one.ids, tokenizer->encode(one.text, {.parse_special = true, .add_special = false}));
    if (one.ids.empty() && !one.may_be_empty) {
      return Error{Code::invalid_argument, "a mark of reasoning is empty", "",
                   "give its start and its end as the model writes them"};
    }
  }
  const auto last = [&](const std::vector<int32_t>& mark) {
    const auto at = std::find_end(prompt.begin(), prompt.end(), mark.begin(), mark.end());
    return at == prompt.end() ? -1 : at - prompt.begin();
  };
  const bool inside = last(marks.start) > last(marks.end);
  return std::optional(ReasoningBudget(std::move(marks), options.budget, inside));
}

}  // namespace quern
