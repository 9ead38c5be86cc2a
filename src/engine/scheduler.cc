#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

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
  Planner(std::span<const SequenceView> sequences, const FreeCache& free, const Limits& limits)
      : limits_(limits), free_(free), rows_left_(limits.rows_per_step) {
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
      const bool waits = !r.holds;
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
    bool holds = false;  // pages or a state
    int n_entries = 0;   // of its lists of pages, those of this step's rows included
    // What nobody ahead of it holds: free once it and all behind it let go.
    FreeCache freed_by{0};
    int n_rows = 0;
    bool has_state = false;
    bool preempted = false;
  };

  int pages(int n_tokens) const {
    return static_cast<int>((int64_t{n_tokens} + limits_.page_tokens - 1) / limits_.page_tokens);
  }

  // A shared page is counted at the first by rank that holds it: preemption goes from the last.
  void count_pages() {
    std::unordered_set<int32_t> seen[kMaxCacheGroups];
    for (Ranked& r : ranked_) {
      const SequenceView& v = *r.view;
      r.has_state = v.has_state;
      r.freed_by.states = v.has_state;
      r.holds = v.has_state;
      for (int group = 0; group < v.pages.n_groups(); ++group) {
        r.n_entries = static_cast<int>(v.pages[group].size());
        r.holds |= r.n_entries > 0;
        for (const int32_t page : v.pages[group])
          r.freed_by.pages[group] += page != kAbsentPage && seen[group].insert(page).second;
      }
    }
  }

  // Free now, or after preempting everything behind it.
  FreeCache available_to(size_t i) const {
    FreeCache all = free_;
    for (size_t j = i + 1; j < ranked_.size(); ++j) add(all, ranked_[j].freed_by);
    return all;
  }
  void add(FreeCache& to, const FreeCache& more) const {
    for (int group = 0; group < limits_.n_groups; ++group) to.pages[group] += more.pages[group];
    to.states += more.states;
  }
  bool fits(const FreeCache& needed, const FreeCache& available) const {
    for (int group = 0; group < limits_.n_groups; ++group)
      if (needed.pages[group] > available.pages[group]) return false;
    return needed.states <= available.states;
  }

  // n_pages more of a list of which a sequence now has `present`: not more than its window takes.
  int within_window(int group, int n_pages, int present) const {
    const int window = limits_.windows[group];
    if (window == 0) return n_pages;
    const int most = window_pages(window, limits_.rows_per_step, limits_.page_tokens);
    return std::min(n_pages, std::max(most - present, 0));
  }

  // Those ahead still need what their prompts lack and a page to grow.
  bool may_start(size_t i) const {
    FreeCache needed{0};
    needed.states = limits_.states;
    for (int group = 0; group < limits_.n_groups; ++group)
      needed.pages[group] = within_window(group, pages(ranked_[i].view->n_pending), 0);
    for (size_t j = 0; j < i; ++j) {
      const Ranked& ahead = ranked_[j];
      if (!ahead.holds) continue;
      const int n_tokens = ahead.view->n_cached + ahead.view->n_pending;
      const int more = std::max(pages(n_tokens) - ahead.n_entries, 0) + 1;
      for (int group = 0; group < limits_.n_groups; ++group)
        needed.pages[group] += within_window(group, more, n_present(ahead, group));
      needed.states += limits_.states && !ahead.has_state;
    }
    return fits(needed, available_to(i));
  }

  static int n_present(const Ranked& r, int group) {
    if (group >= r.view->pages.n_groups()) return 0;
    const auto pages = r.view->pages[group];
    return static_cast<int>(std::ssize(pages) - std::ranges::count(pages, kAbsentPage));
  }

  FreeCache missing(const Ranked& r, int n_rows) const {
    FreeCache needed{0};
    const int n_pages = std::max(pages(r.view->n_cached + r.n_rows + n_rows) - r.n_entries, 0);
    std::fill_n(needed.pages.begin(), limits_.n_groups, n_pages);
    needed.states = limits_.states && !r.has_state;
    return needed;
  }

  bool grant(size_t i, int n_rows) {
    Ranked& r = ranked_[i];
    const FreeCache needed = missing(r, n_rows);
    if (!fits(needed, available_to(i))) return false;
    for (size_t j = ranked_.size(); !fits(needed, free_);) preempt(ranked_[--j]);
    take(r, needed, n_rows);
    return true;
  }

  // Without preempting anybody.
  bool grant_free(size_t i, int n_rows) {
    const FreeCache needed = missing(ranked_[i], n_rows);
    if (!fits(needed, free_)) return false;
    take(ranked_[i], needed, n_rows);
    return true;
  }

  void take(Ranked& r, const FreeCache& needed, int n_rows) {
    for (int group = 0; group < limits_.n_groups; ++group)
      free_.pages[group] -= needed.pages[group];
    free_.states -= needed.states;
    add(r.freed_by, needed);
    r.n_entries = std::max(r.n_entries, pages(r.view->n_cached + r.n_rows + n_rows));
    r.holds = true;
    r.has_state |= limits_.states;
    r.n_rows += n_rows;
    rows_left_ -= n_rows;
  }

  void preempt(Ranked& victim) {
    if (!victim.holds) return;
    add(free_, victim.freed_by);
    rows_left_ += victim.n_rows;
    if (victim.n_rows > 0 && victim.view->generating) --n_streams_;
    victim.n_entries = victim.n_rows = 0;
    victim.freed_by = FreeCache{0};
    victim.holds = victim.has_state = false;
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
  FreeCache free_;
  int rows_left_;
  int budget_ = 0;  // rows for prompts and drafts
  int n_streams_ = 0;
  std::vector<size_t> served_;  // prompts with rows
  Plan plan_;
};

}  // namespace

Plan next(std::span<const SequenceView> sequences, const FreeCache& free, const Limits& limits) {
  CHECK(limits.rows_per_step > 0 && limits.prompt_rows_beside_streams >= 0 &&
            limits.sequences > 0 && limits.page_tokens > 0 && limits.n_groups >= 0 &&
            limits.n_groups <= kMaxCacheGroups,
        "limits are positive, but for prompt rows beside streams");
  CHECK(limits.sequences <= limits.rows_per_step, "streams must leave a row to the first by rank");
  Planner planner(sequences, free, limits);
  planner.grant_streams();
  planner.grant_more_rows_of_streams();
  planner.grant_prompts();
  return std::move(planner).plan();
}

}  // namespace quern
