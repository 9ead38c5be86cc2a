// The flags of requests, as `chat`, `run` and `batch` have them: one row each of
// src/options/sampling.cc or generate.cc.
#pragma once
#include <string_view>

#include "cli/arguments.h"
#include "cli/option_flags.h"
#include "options/schema.h"
#include "quern/model.h"

namespace quern::cli {

// Holds what was typed; must outlive Arguments::parse.
class SamplingFlags {
 public:
  explicit SamplingFlags(const options::Schema& schema = options::schema()) : flags_(schema) {}

  void add_to(Arguments& args);
  // A flag that add_to leaves to single verbs.
  void add(Arguments& args, std::string_view option) { flags_.add(args, option); }
  bool given(std::string_view option) const { return flags_.given(option); }

  // What was typed, put over `base`, over the program's defaults. Without --seed the seed is
  // random, so that the same question gets new answers.
  GenerateOptions options(const SamplingOptions& base) const;
  // The same: flag before the model's files before the program's defaults.
  GenerateOptions options(const Model& model) const;

  // Says on stderr that the answer was cut by a limit nobody asked for.
  void note_cut(const Generation& generation) const;

 private:
  OptionFlags flags_;
};

}  // namespace quern::cli
