// Whether verifying draft tokens is worth its time, for one sequence.
#pragma once
#include <limits>

namespace quern {

// Keeps the acceptance rate and says how many draft tokens the next step should verify: the number
// that gives the most tokens a second by (Leviathan et al., "Fast Inference from Transformers via
// Speculative Decoding", ICML 2023, theorem 3.8)
//   tokens of a step of k drafts: (1 - p^(k+1)) / (1 - p), p: a draft token is accepted
//   time of it: 1 + k * cost
// 0 where none pays; then a few are tried again from time to time, since texts change, and more
// rarely if that keeps failing.
class Payoff {
 public:
  explicit Payoff(int max_drafts) : max_drafts_(max_drafts) {}

  // The number that the next step should verify, and the expected tokens in the time of a plain
  // step, by which two sources are compared. A trial has the highest rate.
  struct Offer {
    int n = 0;
    double rate = 1;
    bool trial() const { return rate == std::numeric_limits<double>::infinity(); }
  };
  // cost: what one more draft token adds to a step, as a share of the step. available: draft
  // tokens.
  Offer offer(double cost, int available);
  // Whether offer() would return any, where none can be drafted yet: a step without them.
  bool wants(double cost, int available);
  // n_checked draft tokens (at least 1), of which the first n_true were accepted.
  void note(int n_checked, int n_true);

 private:
  Offer best(double cost, int available) const;

  // Steps whose draft tokens are not verified, before a few are tried again.
  static constexpr int kRetryAfter = 32, kRetryAtLast = 256;
  int max_drafts_;
  double p_ = 0.7;  // before anything is known
  int n_skipped_ = 0, retry_after_ = kRetryAfter;
};

}  // namespace quern
