#include "measure/eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "measure/npy_writer.h"

namespace quern::measure {

namespace {

constexpr int64_t kMaxRows = 4096;
constexpr int64_t kMaxLogitBytes = int64_t{1} << 30;

// Rows whose logits fit the bound, for a model whose vocabulary is known only once it is loaded.
int chunk_of(const EvalOptions& options, int n_vocab) {
  if (options.chunk > 0) return options.chunk;
  const int64_t row = int64_t{n_vocab} * static_cast<int64_t>(sizeof(float));
  return static_cast<int>(std::clamp<int64_t>(kMaxLogitBytes / row, 1, kMaxRows));
}

Error not_finite(int64_t i) {
  return {Code::corrupt,
          fmt::format("the logits after token {} contain NaN or Inf", i),
          {},
          "the model's weights are damaged, or this build has a bug: try --exact"};
}

// What to do with a row of logits; an error ends the pass.
using TakeLogits = std::function<Result<>(int64_t i, std::span<const float> logits)>;

Result<> each_logits(const Model& model, const std::vector<int32_t>& tokens,
                     const EvalOptions& options, const KeepScoring& keep_going,
                     const TakeLogits& take) {
  std::optional<Error> error;
  const auto on_logits = [&](int64_t i, std::span<const float> logits) {
    if (const auto taken = take(i, logits); !taken) error = taken.error();
    const bool go = keep_going(static_cast<double>(i + 1) / static_cast<double>(tokens.size()));
    return !error && go;
  };
  const auto scored =
      model.score(tokens, chunk_of(options, model.info().n_vocab), on_logits, options.context);
  if (error) return *error;
  return scored;
}

}  // namespace

int64_t rows_per_pass(const EvalOptions& options, int64_t n_tokens) {
  return std::min(n_tokens, options.chunk > 0 ? int64_t{options.chunk} : kMaxRows);
}

Result<Scores> score_tokens(const Model& model, const std::vector<int32_t>& tokens,
                            const EvalOptions& options, LogitStore* reference,
                            const KeepScoring& keep_going) {
  const auto n_tokens = static_cast<int64_t>(tokens.size());
  const int n_vocab = model.info().n_vocab;
  std::optional<NpyWriter> npy;
  if (options.logits) {
    const int64_t first_scored = std::max(options.context - 1, 0);  // the prompt's last token
    TRY(NpyWriter writer, NpyWriter::create(*options.logits, n_tokens - first_scored, n_vocab));
    npy.emplace(std::move(writer));
  }
  Scores scores;
  std::vector<float> theirs(reference ? static_cast<size_t>(n_vocab) : 0);
  const auto take = [&](int64_t i, std::span<const float> logits) -> Result<> {
    if (i + 1 < n_tokens) scores.score.add(logits, tokens[static_cast<size_t>(i + 1)]);
    if (!std::isfinite(scores.score.sum())) return not_finite(i);
    if (reference) {
      TRY_OK(reference->next(theirs));
      scores.divergence.add(theirs, logits);
    }
    return npy ? npy->append(logits) : Result<>(Ok{});
  };
  TRY_OK(each_logits(model, tokens, options, keep_going, take));
  if (npy) TRY_OK(npy->finish());
  return scores;
}

Result<LogitStore> keep_logits(const Model& model, const std::vector<int32_t>& tokens,
                               const EvalOptions& options, const KeepScoring& keep_going) {
  TRY(LogitStore store, LogitStore::create());
  TRY_OK(each_logits(model, tokens, options, keep_going,
                     [&](int64_t, std::span<const float> logits) { return store.append(logits); }));
  TRY_OK(store.rewind());
  return store;
}

}  // namespace quern::measure
