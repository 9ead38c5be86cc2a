#include "formats/weight_source.h"

#include <algorithm>

namespace quern {

const Weight* WeightSource::find(std::string_view name) const {
  const auto all = weights();
  const auto at = std::lower_bound(all.begin(), all.end(), name,
                                   [](const Weight& w, std::string_view n) { return w.name < n; });
  return at != all.end() && at->name == name ? &*at : nullptr;
}

}  // namespace quern
