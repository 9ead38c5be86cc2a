// What `eval` adds up: how well logits foretell the token that follows.
#pragma once
#include <cstdint>
#include <span>

namespace quern::cli {

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

}  // namespace quern::cli
