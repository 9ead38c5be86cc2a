// The candidates of a sampler chain: the tokens that are still possible.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

struct Candidate {
  int32_t id;
  float logit;
};

// The order of probability: larger logits first, of equal ones the smaller id.
inline bool before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// Memory of a choice, kept between choices.
struct ChoiceScratch {
  std::vector<Candidate> candidates;
  std::vector<float> block_tops, some_tops;
  std::vector<double> block_totals;
};

// The first k of all tokens in the order of `before`. Tokens at -infinity are none. tops: of
// find_block_tops; some_tops: memory.
void best_of(std::span<const float> logits, std::span<const float> tops, size_t k,
             std::vector<float>& some_tops, std::vector<Candidate>& best);

// At first every token of `logits` is possible, -infinity and NaN excepted; the first filter
// gathers what it leaves into `candidates`, and from then on only those count.
class Choice {
 public:
  // Both belong to the caller and outlive it. logits: (n_vocab), changed.
  Choice(std::span<float> logits, ChoiceScratch& scratch);

  bool gathered() const { return gathered_; }
  std::span<float> change_logits();                             // until gathered
  std::vector<Candidate>& candidates() { return candidates_; }  // once gathered
  // Whether the candidates are in the order of `before`; else they are in one that depends on the
  // history of filters alone.
  bool sorted() const { return sorted_; }
  void set_sorted(bool sorted) { sorted_ = sorted; }

  // Makes candidates of all tokens, of the best k, or of those with a logit of at least `floor`.
  // gather_all does nothing where that has happened; the others only come first, but gather_from
  // may be repeated with another floor until something was left out.
  void gather_all();
  void gather_best(size_t k);
  void gather_from(float floor);

  float top();              // the largest logit; -infinity where nothing is left, perhaps +infinity
  double total(float top);  // of exp(logit - top)
  // Sorts at least the first n candidates.
  void sort(size_t n);

  // The candidate at u of the whole weight, u in [0, 1).
  Candidate draw(double u);

 private:
  Candidate draw_ungathered(double left, float top) const;
  std::span<const float> block_tops();

  std::span<float> logits_;
  ChoiceScratch& scratch_;
  std::vector<Candidate>& candidates_;
  bool tops_known_ = false;
  bool gathered_ = false, sorted_ = false;
};

}  // namespace quern
