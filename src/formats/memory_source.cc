#include "formats/memory_source.h"

#include <algorithm>

#include "base/check.h"
#include "quant/format.h"

namespace quern {

void MemorySource::add(std::string name, Dtype dtype, std::vector<int64_t> dims,
                       std::vector<std::byte> bytes) {
  CHECK(!dims.empty() && dims.size() <= 4, "a tensor has 1 to 4 dimensions");
  Weight weight = {.name = std::move(name), .dtype = dtype, .dims = std::move(dims), .data = {}};
  CHECK(matrix_bytes(dtype, weight.n_rows(), weight.n_cols()) == static_cast<int64_t>(bytes.size()),
        "a tensor's bytes fit its shape");
  owned_.push_back(std::move(bytes));
  bytes_ += static_cast<int64_t>(owned_.back().size());
  weight.data = owned_.back();
  const auto at = std::ranges::lower_bound(weights_, weight.name, {}, &Weight::name);
  CHECK(at == weights_.end() || at->name != weight.name, "a tensor is added once");
  weights_.insert(at, std::move(weight));
}

}  // namespace quern
