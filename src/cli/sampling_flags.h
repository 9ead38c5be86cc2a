// The sampling flags of `chat` and `run`: one row each, which is flag, range, help, and the key by
// which a model file may bring its own default (general.sampling.*).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "formats/metadata.h"
#include "quern/model.h"

namespace quern::cli {

// Ours, where neither the flag nor the file says: calm enough for models of a few hundred million
// parameters, which wander at higher temperatures.
inline constexpr SamplingOptions kSamplingDefaults{
    .temperature = 0.4f, .top_k = 40, .top_p = 0.9f, .min_p = 0.05f};

// A loop must not fill the whole context unasked.
inline constexpr int kDefaultTokens = 1024;

// Holds what was typed; must outlive Arguments::parse.
class SamplingFlags {
 public:
  void add_to(Arguments& args);

  // Flag before file before kSamplingDefaults. A value in the file that is out of range is passed
  // over. Without --seed the seed is random, so that the same question gets new answers.
  GenerateOptions options(const Metadata& file) const;
  // The same for the model at this path. Errors: as open_model.
  Result<GenerateOptions> options(const std::string& path) const;

  // Says on stderr that the answer was cut by a limit nobody asked for.
  void note_cut(const Generation& generation) const;

 private:
  std::optional<int> max_tokens_;
  std::vector<std::optional<double>> given_;  // one per row of the table
  std::optional<uint64_t> seed_;
  std::vector<std::string> stop_;
};

}  // namespace quern::cli
