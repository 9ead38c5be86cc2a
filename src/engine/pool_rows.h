// Pools rows of hidden states to one vector: their mean, normalized to length 1.
#pragma once
#include <span>
#include <vector>

#include "quern/result.h"

namespace quern {

// Sums in f64 and in the order of the rows, so that it does not matter in which pieces they come.
// The mean of one row is that row. Not thread-safe.
class PooledRows {
 public:
  explicit PooledRows(int width) : sums_(width, 0.0) {}

  void add(std::span<const float> row);  // (width)
  int n_rows() const { return n_rows_; }
  // The mean's first out.size() numbers, of which there are at most `width`; normalize: divided by
  // their Euclidean length, unless all are 0. CHECK: a row was added. Errors: corrupt (not finite).
  Result<> write(bool normalize, std::span<float> out) const;

 private:
  std::vector<double> sums_;
  int n_rows_ = 0;
};

}  // namespace quern
