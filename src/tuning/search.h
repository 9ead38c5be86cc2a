// The search for better cuts on the machine at hand: forward passes with one candidate after the
// other, in turns, and the time of every kind of product taken from their profiles. So all products
// of a model are searched at once, with their weights where a real pass finds them: in memory.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/target.h"
#include "base/result.h"
#include "compile/compile.h"
#include "formats/weight_source.h"

namespace quern {

struct SearchOptions {
  CompileOptions compile;  // its tuning, profile, rows and pages are the search's own business
  bool quick = false;      // fewer rounds, shorter prompts
  // Asked before each pass with 0..1; false: stop. May be empty.
  std::function<bool(double done, std::string_view what)> keep_going;
};

// What was found for the passes of some number of rows.
struct Finding {
  int n_rows = 0;
  double gain = 0;  // measured anew after the search: 0.05 is 5 % more products per second
  std::vector<size_t> changed;  // which of the target's parameters
};
struct ProductFindings {
  std::string product;
  Tuning best;                    // the default, but for what `findings` changed
  std::vector<Finding> findings;  // none: nothing beat the defaults by more than the noise
};

// Errors: as compile() and Executor::forward; cancelled.
Result<std::vector<ProductFindings>> search_tuning(std::shared_ptr<const WeightSource> source,
                                                   const SearchOptions& options);

}  // namespace quern
