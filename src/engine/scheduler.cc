#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace quern {
namespace {

class Planner {
 public:
  Planner(std::span<const SequenceView> sequences, int n_free_pages, const Limits& limits)
      : limits_(limits), n_free_(n_free_pages), rows_left_(limits.rows_per_step) {
    for (const SequenceView& view : sequences) ranked_.push_back({&view, pages(view.n_cached)});
    std::sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) {
      return std::make_tuple(-a.view->priority, a.view->arrival) <
             std::make_tuple(-b.view->priority, b.view->arrival);
    });
    n_taking_part_ = std::min(ranked_.size(), static_cast<size_t>(limits.sequences));
  }

  void grant_streams() {
    for (size_t i = 0; i < n_taking_part_ && rows_left_ > 0; ++i) {
      if (ranked_[i].view->generating && !ranked_[i].preempted && grant(i, 1)) ++n_streams_;
    }
  }

  // In order of rank, and none overtakes one that has to wait: else the large would starve.
  void grant_prompts() {
    int budget = rows_left_;
    if (n_streams_ > 0) budget = std::min(budget, limits_.prompt_rows_beside_streams);
    for (size_t i = 0; i < n_taking_part_ && budget > 0; ++i) {
      const Ranked& prompt = ranked_[i];
      if (prompt.view->generating || prompt.preempted) continue;
      const int n_rows = std::min(prompt.view->n_pending, budget);
      if (!may_start(i) || !grant(i, n_rows)) break;
      budget -= n_rows;
    }
  }

  Plan plan() && {
    for (const bool generating : {true, false}) {
      for (const Ranked& r : ranked_) {
        if (r.n_rows > 0 && r.view->generating == generating)
          plan_.rows.push_back({r.view->id, r.n_rows});
      }
    }
    return std::move(plan_);
  }

 private:
  struct Ranked {
    const SequenceView* view;
    int n_pages;  // held before the step, and what its rows take
    int n_rows = 0;
    bool preempted = false;
  };

  int pages(int n_tokens) const {
    return (n_tokens + limits_.page_tokens - 1) / limits_.page_tokens;
  }

  int available_to(size_t i) const {  // free now, or after preempting everything behind it
    int n = n_free_;
    for (size_t j = i + 1; j < ranked_.size(); ++j) n += ranked_[j].n_pages;
    return n;
  }

  bool may_start(size_t i) const {
    if (ranked_[i].n_pages > 0) return true;
    const auto holds = [](const Ranked& r) { return r.n_pages > 0; };
    const auto ahead = std::count_if(ranked_.begin(), ranked_.begin() + i, holds);
    return pages(ranked_[i].view->n_pending) + ahead <= available_to(i);
  }

  bool grant(size_t i, int n_rows) {
    Ranked& r = ranked_[i];
    const int needed = pages(r.view->n_cached + n_rows) - r.n_pages;
    if (needed > available_to(i)) return false;
    for (size_t j = ranked_.size(); n_free_ < needed;) preempt(ranked_[--j]);
    n_free_ -= needed;
    r.n_pages += needed;
    r.n_rows = n_rows;
    rows_left_ -= n_rows;
    return true;
  }

  void preempt(Ranked& victim) {
    if (victim.n_pages == 0) return;
    n_free_ += victim.n_pages;
    rows_left_ += victim.n_rows;
    victim.n_pages = victim.n_rows = 0;
    victim.preempted = true;
    plan_.preempted.push_back(victim.view->id);
  }

  const Limits& limits_;
  std::vector<Ranked> ranked_;  // first by rank first
  size_t n_taking_part_;
  int n_free_;
  int rows_left_;
  int n_streams_ = 0;
  Plan plan_;
};

}  // namespace

Plan next(std::span<const SequenceView> sequences, int n_free_pages, const Limits& limits) {
  CHECK(limits.rows_per_step > 0 && limits.prompt_rows_beside_streams > 0 && limits.sequences > 0 &&
            limits.page_tokens > 0,
        "limits are positive");
  CHECK(limits.sequences <= limits.rows_per_step, "streams must leave a row to the first by rank");
  Planner planner(sequences, n_free_pages, limits);
  planner.grant_streams();
  planner.grant_prompts();
  return std::move(planner).plan();
}

}  // namespace quern
