// The flags that say which weights to measure: a model file, or a shape with random ones. Shared by
// verbs that need no text.
#pragma once
#include <memory>
#include <string>

#include "cli/arguments.h"
#include "cli/model_flags.h"
#include "formats/weight_source.h"

namespace quern::cli {

struct SourceFlags {
  ModelFlags model;
  std::string shape, quant, head_quant;
};

// MODEL, --shape, --quant, --head-quant.
void add_source_flags(Arguments& args, SourceFlags& flags);
// Errors: invalid_argument (a format without a shape).
Result<> check_source(const SourceFlags& flags);
// Random weights are made with a progress bar. Errors: as open_model and random_model.
Result<std::shared_ptr<const WeightSource>> open_source(const SourceFlags& flags);

}  // namespace quern::cli
