#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "base/check.h"

namespace quern {
namespace {

auto rank(const SequenceView& v) {
  const bool waits = v.admission < 0;
  return std::make_tuple(v.paused, -int64_t{v.priority}, waits, waits ? v.served : v.admission,
                         v.arrival);
}

auto turn(const SequenceView& v) {
  return std::make_tuple(-int64_t{v.priority}, v.served, v.arrival);
}

class Planner {
 public:
  Planner(std::span<const SequenceView> sequences, int n_free_pages, const Limits& limits)
      : limits_(limits), n_free_(n_free_pages), rows_left_(limits.rows_per_step) {
    for (const SequenceView& view : sequences) ranked_.push_back({.view = &view});
    std::sort(ranked_.begin(), ranked_.end(),
              [](const Ranked& a, const Ranked& b) { return rank(*a.view) < rank(*b.view); });
    count_pages();
    const auto active = std::count_if(ranked_.begin(), ranked_.end(),
                                      [](const Ranked& r) { return !r.view->paused; });
    n_taking_part_ = std::min<size_t>(active, limits.sequences);
  }

  // One row each first, so that nobody's drafts take another's next token.
  void grant_streams() {
    for (size_t i = 0; i < n_taking_part_ && rows_left_ > 0; ++i) {
      if (ranked_[i].view->generating && !ranked_[i].preempted && grant(i, 1)) ++n_streams_;
    }
    budget_ =
        n_streams_ > 0 ? std::min(rows_left_, limits_.prompt_rows_beside_streams) : rows_left_;
  }

  // Half of the budget at most while prompts wait.
  void grant_more_rows_of_streams() {
    const bool prompts = std::any_of(ranked_.begin(), ranked_.begin() + n_taking_part_,
                                     [](const Ranked& r) { return !r.view->generating; });
    int left = prompts ? budget_ / 2 : budget_;
    for (size_t i = 0; i < n_taking_part_ && left > 0; ++i) {
      const Ranked& r = ranked_[i];
      if (r.n_rows == 0) continue;
      const int more = std::min(r.view->n_pending + r.view->n_extra - r.n_rows, left);
      if (more <= 0 || !grant_free(i, more)) continue;
      left -= more;
      budget_ -= more;
    }
  }

  void grant_prompts() {
    std::vector<size_t> order;
    for (size_t i = 0; i < n_taking_part_; ++i) {
      if (!ranked_[i].view->generating) order.push_back(i);
    }
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return turn(*ranked_[a].view) < turn(*ranked_[b].view); });
    bool blocked = false;
    for (const size_t i : order) {
      const Ranked& r = ranked_[i];
      if (budget_ == 0) break;
      const bool waits = r.n_pages == 0;
      if (r.preempted || (waits && blocked)) continue;
      const int n_rows = std::min(r.view->n_pending, budget_ - kept_for_the_first(i));
      if (n_rows == 0) continue;
      if ((waits && !may_start(i)) || !grant(i, n_rows)) {
        blocked = true;
        continue;
      }
      served_.push_back(i);
      budget_ -= n_rows;
    }
  }

  Plan plan() && {
    for (const Ranked& r : ranked_) {
      if (r.n_rows > 0 && r.view->generating) plan_.rows.push_back({r.view->id, r.n_rows});
    }
    for (const size_t i : served_) {  // one may have been preempted since
      if (ranked_[i].n_rows > 0) plan_.rows.push_back({ranked_[i].view->id, ranked_[i].n_rows});
    }
    return std::move(plan_);
  }

 private:
  struct Ranked {
    const SequenceView* view;
    int n_pages = 0;     // in its table, those of this step's rows included
    int n_freed_by = 0;  // pages nobody ahead of it holds: free once it and all behind it let go
    int n_rows = 0;
    bool preempted = false;
  };

  int pages(int n_tokens) const {
    return (n_tokens + limits_.page_tokens - 1) / limits_.page_tokens;
  }

  // A shared page is counted at the first by rank that holds it: preemption goes from the last.
  void count_pages() {
    std::unordered_map<int32_t, bool> seen;
    for (Ranked& r : ranked_) {
      r.n_pages = static_cast<int>(r.view->pages.size());
      for (const int32_t page : r.view->pages) r.n_freed_by += seen.try_emplace(page).second;
    }
  }

  int available_to(size_t i) const {  // free now, or after preempting everything behind it
    int n = n_free_;
    for (size_t j = i + 1; j < ranked_.size(); ++j) n += ranked_[j].n_freed_by;
    return n;
  }

  // Those ahead still need what their prompts lack and a page to grow.
  bool may_start(size_t i) const {
    int needed = pages(ranked_[i].view->n_pending);
    for (size_t j = 0; j < i; ++j) {
      const Ranked& ahead = ranked_[j];
      if (ahead.n_pages == 0) continue;
      needed += std::max(pages(ahead.view->n_cached + ahead.view->n_pending) - ahead.n_pages, 0);
      needed += 1;
    }
    return needed <= available_to(i);
  }

  int missing(const Ranked& r, int n_rows) const {
    return std::max(pages(r.view->n_cached + r.n_rows + n_rows) - r.n_pages, 0);
  }

  bool grant(size_t i, int n_rows) {
    Ranked& r = ranked_[i];
    const int needed = missing(r, n_rows);
    if (needed > available_to(i)) return false;
    for (size_t j = ranked_.size(); n_free_ < needed;) preempt(ranked_[--j]);
    take(r, needed, n_rows);
    return true;
  }

  // Without preempting anybody.
  bool grant_free(size_t i, int n_rows) {
    const int needed = missing(ranked_[i], n_rows);
    if (needed > n_free_) return false;
    take(ranked_[i], needed, n_rows);
    return true;
  }

  void take(Ranked& r, int n_pages, int n_rows) {
    n_free_ -= n_pages;
    r.n_pages += n_pages;
    r.n_freed_by += n_pages;
    r.n_rows += n_rows;
    rows_left_ -= n_rows;
  }

  void preempt(Ranked& victim) {
    if (victim.n_pages == 0) return;
    n_free_ += victim.n_freed_by;
    rows_left_ += victim.n_rows;
    if (victim.n_rows > 0 && victim.view->generating) --n_streams_;
    victim.n_pages = victim.n_freed_by = victim.n_rows = 0;
    victim.preempted = true;
    plan_.preempted.push_back(victim.view->id);
  }

  // The first by rank always gets nearer to its end, whose turn it may be.
  int kept_for_the_first(size_t i) const {
    const Ranked& first = ranked_[0];
    return i > 0 && !first.view->generating && first.n_rows == 0 ? 1 : 0;
  }

  const Limits& limits_;
  std::vector<Ranked> ranked_;  // first by rank first
  size_t n_taking_part_ = 0;
  int n_free_;
  int rows_left_;
  int budget_ = 0;  // rows for prompts and drafts
  int n_streams_ = 0;
  std::vector<size_t> served_;  // prompts with rows
  Plan plan_;
};

}  // namespace

Plan next(std::span<const SequenceView> sequences, int n_free_pages, const Limits& limits) {
  CHECK(limits.rows_per_step > 0 && limits.prompt_rows_beside_streams >= 0 &&
            limits.sequences > 0 && limits.page_tokens > 0,
        "limits are positive, but for prompt rows beside streams");
  CHECK(limits.sequences <= limits.rows_per_step, "streams must leave a row to the first by rank");
  Planner planner(sequences, n_free_pages, limits);
  planner.grant_streams();
  planner.grant_more_rows_of_streams();
  planner.grant_prompts();
  return std::move(planner).plan();
}

}  // namespace quern
