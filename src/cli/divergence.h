// What `eval --against` adds up: how far one set of logits is from another, row by row.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace quern::cli {

// KL(p || q) in nats of p = softmax(reference), q = softmax(logits), both (n_vocab). Sums in f64.
double kl_divergence(std::span<const float> reference, std::span<const float> logits);

class Divergence {
 public:
  void add(std::span<const float> reference, std::span<const float> logits);

  int64_t n_rows() const { return std::ssize(kl_); }
  double mean() const;
  double percentile(double share) const;  // the smallest KL that `share` of the rows do not exceed
  double agreement() const;               // share of rows whose best tokens are the same

 private:
  std::vector<double> kl_;
  int64_t same_ = 0;
};

// Rows of logits kept in a temporary file until they are compared: written in order, then read in
// order. The file has no name and goes with the object. Not thread-safe.
class LogitStore {
 public:
  static Result<LogitStore> create();           // errors: unavailable (no temporary file)
  Result<> append(std::span<const float> row);  // errors: unavailable (disk full)
  Result<> rewind();                            // errors: unavailable (disk full)
  Result<> next(std::span<float> row);          // errors: corrupt (no such row)

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace quern::cli
