// The sampling flags of `chat` and `run`: one row each, which is flag, range and help.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "quern/model.h"

namespace quern::cli {

// Ours, where neither the flag nor the file says: calm enough for models of a few hundred million
// parameters, which wander at higher temperatures.
inline const SamplingOptions kSamplingDefaults{
    .temperature = 0.4f, .top_k = 40, .top_p = 0.9f, .min_p = 0.05f};

// A loop must not fill the whole context unasked.
inline constexpr int kDefaultTokens = 1024;

// Holds what was typed; must outlive Arguments::parse.
class SamplingFlags {
 public:
  void add_to(Arguments& args);

  // What was typed, put over `base`. Without --seed the seed is random, so that the same question
  // gets new answers. Errors: invalid_argument (a value that is none, options that exclude each
  // other).
  Result<GenerateOptions> options(const SamplingOptions& base) const;
  // The same: flag before the model's files before kSamplingDefaults.
  Result<GenerateOptions> options(const Model& model) const;

  // Says on stderr that the answer was cut by a limit nobody asked for.
  void note_cut(const Generation& generation) const;

 private:
  std::optional<int> max_tokens_;
  std::vector<std::optional<double>> given_;  // one per row of the table
  std::optional<uint64_t> seed_;
  std::vector<std::string> stop_;
  std::vector<std::string> breakers_, biases_;
  std::vector<int> banned_, allowed_;
  std::optional<std::string> samplers_;
};

}  // namespace quern::cli
