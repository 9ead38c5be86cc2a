#include "cli/answer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "cli/signals.h"
#include "cli/terminal.h"

namespace quern::cli {

namespace {

double per_second(int n, double ms) { return ms > 0 ? 1000.0 * n / ms : 0; }

void show_text(std::string_view text, bool terminal) {
  const std::string safe = terminal ? without_controls(text) : std::string(text);
  std::fwrite(safe.data(), 1, safe.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

Result<Generation> answer(const Model& model, std::span<const int32_t> prompt,
                          const GenerateOptions& options, bool show) {
  const bool terminal = is_terminal(STDOUT_FILENO);
  bool line_open = false;
  const auto on_delta = [&](const Delta& delta) {
    if (show && !delta.text.empty()) {
      show_text(delta.text, terminal);
      line_open = !delta.text.ends_with('\n');
    }
    return !interrupted();
  };
  auto generation = model.generate(prompt, options, on_delta);
  if (show && line_open) show_text("\n", false);
  take_interrupt();
  return generation;
}

Json timings_json(const Timings& timings) {
  return {{"prompt_n", timings.prompt_n},
          {"prompt_ms", timings.prompt_ms},
          {"prompt_per_second", per_second(timings.prompt_n, timings.prompt_ms)},
          {"predicted_n", timings.predicted_n},
          {"predicted_ms", timings.predicted_ms},
          {"predicted_per_second", per_second(timings.predicted_n, timings.predicted_ms)},
          {"cache_n", timings.cached_n},
          {"draft_n", timings.draft_n},
          {"draft_n_accepted", timings.draft_true_n}};
}

Json latency_json(const Timings& timings) {
  return {{"queue_ms", timings.queue_ms},
          {"first_token_ms", timings.first_token_ms},
          {"per_token_ms", timings.per_token_ms}};
}

std::string timings_text(const Timings& timings) {
  return fmt::format(
             "{} tokens read at {:.0f} tokens/s ({} from the cache), {} generated at {:.1f} "
             "tokens/s",
             timings.prompt_n, per_second(timings.prompt_n, timings.prompt_ms), timings.cached_n,
             timings.predicted_n, per_second(timings.predicted_n, timings.predicted_ms)) +
         (timings.draft_n > 0 ? fmt::format(", {} of {} draft tokens accepted",
                                            timings.draft_true_n, timings.draft_n)
                              : "");
}

std::string short_timings_text(const Timings& timings) {
  // The first token's time is the prompt's.
  const double speed = per_second(timings.predicted_n - 1, timings.predicted_ms);
  return fmt::format(
      "{} tokens{}, first token {:.2f} s, {} of {} prompt tokens reused", timings.predicted_n,
      timings.predicted_n > 1 ? fmt::format(", {:.0f} tok/s", speed) : "", timings.prompt_ms / 1000,
      timings.cached_n, timings.cached_n + timings.prompt_n);
}

}  // namespace quern::cli
