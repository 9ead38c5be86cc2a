// The engine's requests and outputs.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/constraint.h"
#include "engine/sample/reasoning_budget.h"
#include "quern/generation.h"
#include "text/stop_strings.h"

namespace quern {

using RequestId = int64_t;

struct Request {
  // Tokens, or -1 - r for row r of `embeddings`. The last one is a token.
  std::vector<int32_t> prompt;
  std::vector<float> embeddings;  // (n, width of the model), finite
  GenerateOptions options;
  // Makes the constraint of one answer, at its beginning; empty: none. Called by the engine, so it
  // only copies what was compiled before.
  std::function<std::unique_ptr<Constraint>()> constraint;
  std::optional<ReasoningBudget> reasoning;  // options.reasoning, in tokens
  std::vector<StopSymbols> stop_tokens;      // of options.stop, see StopStrings; or fewer
};

// What a request has produced since the last call.
struct Output : Delta {
  // Either of the two is set in the last output.
  std::optional<Finish> finish;
  std::optional<Error> error;
  Timings timings;  // complete when finished

  bool finished() const { return finish || error; }
  bool empty() const { return text.empty() && ids.empty() && !finished(); }
};

}  // namespace quern
