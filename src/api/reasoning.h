// The reasoning budget of a request, in tokens.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "engine/sample/reasoning_budget.h"
#include "quern/generation.h"
#include "text/tokenizer.h"

namespace quern {

// Nothing where there is no budget. Whether the prompt ends inside the reasoning follows from which
// mark stands last in it. Errors: invalid_argument (budget or marks), those of the tokenizer.
Result<std::optional<ReasoningBudget>> reasoning_budget(const Result<Tokenizer>& tokenizer,
                                                        const ReasoningOptions& options,
                                                        std::span<const int32_t> prompt);

}  // namespace quern
