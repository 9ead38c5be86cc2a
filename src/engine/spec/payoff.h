// Whether checking guesses is worth its time, for one sequence.
#pragma once
#include <limits>

namespace quern {

// Keeps the share of guesses that came true and says how many the next step should check: the
// number that gives the most tokens a second by (Leviathan et al., "Fast Inference from
// Transformers via Speculative Decoding", ICML 2023, theorem 3.8)
//   tokens of a step of k guesses: (1 - p^(k+1)) / (1 - p), p: a guess comes true
//   time of it: 1 + k * cost
// 0 where that is none; then now and then a few are tried again, since texts change, and more
// rarely where that goes on failing.
class Payoff {
 public:
  explicit Payoff(int most) : most_(most) {}

  // What the next step should check, and the tokens that promises in the time of a plain step: so
  // guesses of two sources are compared. A trial promises more than anything else.
  struct Offer {
    int n = 0;
    double rate = 1;
    bool trial() const { return rate == std::numeric_limits<double>::infinity(); }
  };
  // cost: what one more guess adds to a step, as a share of the step. available: guesses there
  // are.
  Offer offer(double cost, int available);
  // Whether offer() would have any checked, where guesses cannot be made yet: a step without them.
  bool wants(double cost, int available);
  // n_checked guesses (at least 1), of which the first n_true came true.
  void note(int n_checked, int n_true);

 private:
  Offer best(double cost, int available) const;

  // Steps with guesses at hand that were not checked, before a few are.
  static constexpr int kRetryAfter = 32, kRetryAtLast = 256;
  int most_;
  double p_ = 0.7;  // before anything is known
  int n_skipped_ = 0, retry_after_ = kRetryAfter;
};

}  // namespace quern
