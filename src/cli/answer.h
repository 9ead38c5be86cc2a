// One answer of a model: generated, shown while it grows, stopped by Ctrl-C.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/json_output.h"
#include "quern/model.h"

namespace quern::cli {

// Generates; with `show` the text goes to standard output piece by piece, and ends with a newline.
// Ctrl-C (cli/signals.h) gives Finish::cancelled with what there is, and lowers the flag.
Result<Generation> answer(const Model& model, std::span<const int32_t> prompt,
                          const GenerateOptions& options, bool show);

// llama-server's names: prompt_n, prompt_ms, prompt_per_second, predicted_n, predicted_ms,
// predicted_per_second, cache_n.
Json timings_json(const Timings& timings);
// What a user waits for: queue_ms, first_token_ms, per_token_ms.
Json latency_json(const Timings& timings);
// "123 tokens read at 456 tokens/s, 64 generated at 78.9 tokens/s"
std::string timings_text(const Timings& timings);
// "42 tokens, 138 tok/s, first token 0.05 s, 310 of 350 prompt tokens reused"
std::string short_timings_text(const Timings& timings);

}  // namespace quern::cli
