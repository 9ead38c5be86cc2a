// `quern eval`: how well a model predicts a text, against other numerics too, and its logits as a
// numpy file.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "measure/scores.h"
#include "quern/model.h"

namespace quern::measure {

struct EvalOptions {
  int context = 0;                    // tokens read as a prompt; the rest are scored
  int chunk = 0;                      // tokens per pass; 0: what limits of tokens and memory allow
  std::optional<std::string> logits;  // a .npy file to write
};

// Tokens of a forward pass at most: what a model must be loaded for.
int64_t rows_per_pass(const EvalOptions& options, int64_t n_tokens);

// Asked after each token with the share that is done, 0 to 1. False: stop.
using KeepScoring = std::function<bool(double done)>;

struct Scores {
  Score score;
  Divergence divergence;  // from the reference, where there is one
};

// Scores tokens[context..]. reference: the rows that keep_logits stored of the same tokens with the
// same context, or null. Errors: as Model::score and NpyWriter; corrupt: logits contain NaN or Inf.
Result<Scores> score_tokens(const Model& model, const std::vector<int32_t>& tokens,
                            const EvalOptions& options, LogitStore* reference,
                            const KeepScoring& keep_going);

// The logits of the same rows, ready to be read. Errors: as Model::score and LogitStore.
Result<LogitStore> keep_logits(const Model& model, const std::vector<int32_t>& tokens,
                               const EvalOptions& options, const KeepScoring& keep_going);

}  // namespace quern::measure
