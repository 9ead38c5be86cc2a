#include "engine/pool_rows.h"

#include <cmath>

#include "base/check.h"

namespace quern {

void PooledRows::add(std::span<const float> row) {
  CHECK(row.size() == sums_.size(), "a row has the width of the sums");
  for (size_t i = 0; i < row.size(); ++i) sums_[i] += row[i];
  ++n_rows_;
}

Result<> PooledRows::write(bool normalize, std::span<float> out) const {
  CHECK(n_rows_ > 0 && out.size() <= sums_.size(), "there is a row, and it is long enough");
  double squares = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const double mean = sums_[i] / n_rows_;
    squares += mean * mean;
  }
  if (!std::isfinite(squares)) {
    return Error{Code::corrupt, "the hidden states are not finite numbers", "",
                 "the model's weights are damaged, or this build has a bug: try exact numerics"};
  }
  const double length = normalize && squares > 0 ? std::sqrt(squares) : 1;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(sums_[i] / n_rows_ / length);
  return Ok{};
}

}  // namespace quern
