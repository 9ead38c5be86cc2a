// Several answers to one prompt, computed in one batch, shown one after the other.
#pragma once
#include <span>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::cli {

// options.n of them. With `show` they go to standard output in order, the first ones while they
// grow, each below a line with its number where that is a terminal, else with an empty line
// between. Ctrl-C ends all with Finish::cancelled and what there is. Errors: as Model::submit and
// Model::generate.
Result<std::vector<Generation>> answers(const Model& model, std::span<const int32_t> prompt,
                                        const GenerateOptions& options, bool show);

}  // namespace quern::cli
