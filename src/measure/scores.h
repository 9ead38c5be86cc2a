// The scores of `quern eval`: how well logits predict the next token, and how far one set of logits
// is from another.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace quern::measure {

// -log softmax(logits)[target], in natural units; not finite where the logits are not.
// The sum runs in f64.
double negative_log_likelihood(std::span<const float> logits, int32_t target);

// The first index of the largest value.
int32_t most_likely(std::span<const float> logits);

class Score {
 public:
  void add(std::span<const float> logits, int32_t target);

  int64_t n_predicted() const { return n_; }
  double sum() const { return sum_; }
  double nll() const { return sum_ / static_cast<double>(n_); }  // mean
  double perplexity() const;                                     // exp(nll)
  double top1() const { return static_cast<double>(hits_) / static_cast<double>(n_); }

 private:
  int64_t n_ = 0, hits_ = 0;
  double sum_ = 0;
};

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
// order. The file has no name and is deleted with the object. Not thread-safe.
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

}  // namespace quern::measure
