// Pages and states of the cache: who holds which. Numbers only; the memory is the executor's.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/page_list.h"

namespace quern {

// Page ids [0, n_pages) of one group, each free or held by one or more. The page that became free
// last is taken first: its memory is there and warm. Not thread-safe.
//
// One of the holders may be the cache (PrefixTree). A page that nobody else holds is idle: its
// content is of use, but it can be had for the asking. Idle pages stand in the order in which they
// became idle.
class PagePool {
 public:
  explicit PagePool(int n_pages);
  int n_pages() const { return static_cast<int>(pages_.size()); }
  int n_free() const { return static_cast<int>(free_.size()); }
  int n_idle() const { return idle_.size(); }
  int n_holders(int32_t page) const { return at(page).n_holders; }
  bool cached(int32_t page) const { return at(page).cached; }  // the cache is one of its holders

  int32_t take();              // a free page, for one holder; CHECK: one is free
  void hold(int32_t page);     // one holder more; CHECK: somebody holds it
  void release(int32_t page);  // one holder less; free when it was the last

  // The cache becomes a holder, and stops being one. CHECK: it was not; it was.
  void cache(int32_t page);
  void uncache(int32_t page);
  int32_t oldest_idle() const { return idle_.front(); }  // -1: there is none

 private:
  struct Page {
    int n_holders = 0;  // the cache included
    bool cached = false;
    bool idle() const { return cached && n_holders == 1; }
  };
  const Page& at(int32_t page) const;
  Page& at(int32_t page) { return const_cast<Page&>(std::as_const(*this).at(page)); }

  std::vector<Page> pages_;
  std::vector<int32_t> free_;
  PageList idle_;
};

// One page of each group; kAbsentPage where a group has none.
using PageRow = std::array<int32_t, kMaxCacheGroups>;
constexpr PageRow no_pages() {
  PageRow row{};
  row.fill(kAbsentPage);
  return row;
}

// A recurrent state after some tokens, as bytes of Executor::read_state.
using StateBytes = std::shared_ptr<const std::vector<std::byte>>;

// What an executor has: a pool of pages for each group, and slots of states. Not thread-safe.
class CachePools {
 public:
  explicit CachePools(const Executor& executor);
  CachePools(int page_tokens, std::span<const CacheGroup> groups, int n_states);
  CachePools(const CachePools&) = delete;
  CachePools& operator=(const CachePools&) = delete;

  int page_tokens() const { return page_tokens_; }
  int pages_for(int n_tokens) const;  // of a group, to hold so many tokens
  int n_groups() const { return static_cast<int>(groups_.size()); }
  PagePool& operator[](int group) { return groups_[group].pool; }
  const PagePool& operator[](int group) const { return groups_[group].pool; }

  // Whether rows see all earlier tokens in this group.
  bool unlimited(int group) const { return groups_[group].window == 0; }
  bool any_window() const { return any_window_; }
  // The first page of the group that a row at `position` reads.
  int first_seen(int group, int position) const;

  bool has_states() const { return n_states_ > 0; }
  int n_states() const { return n_states_; }
  int n_free_states() const { return static_cast<int>(free_states_.size()); }
  int32_t take_state();  // CHECK: a slot is free
  void release_state(int32_t slot) { free_states_.push_back(slot); }

 private:
  struct Group {
    PagePool pool;
    int window;
  };
  int page_tokens_, n_states_;
  bool any_window_ = false;
  std::vector<Group> groups_;
  std::vector<int32_t> free_states_;
};

// Tokens that one sequence may have in the cache: as many as its unlimited groups hold, without any
// INT32_MAX.
int max_context(const Executor& executor);

// The pages of one sequence: a list per group, in the order of its tokens and equally long. The
// first n_shared() entries are read-only: others may hold these pages too, or will. The rest is its
// own, and written by nobody else. In a group with a window, entries that no row will read again
// are kAbsentPage. A sequence of a recurrent model has a slot as well, once it computes.
//
// Releases all when it goes. The pools outlive it.
class PageTable {
 public:
  explicit PageTable(CachePools& pools) : pools_(&pools), pages_(pools.n_groups()) {}
  ~PageTable() { shrink(0); }
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&& other) noexcept;

  void grow(int n_tokens);          // room for n_tokens; CHECK: the pools have the pages
  void shrink(int n_tokens);        // entries wholly behind n_tokens go, the last one first;
                                    // to 0: the state as well
  int missing(int n_tokens) const;  // pages of each group that grow(n_tokens) would take
  // The next row stands at `position`, or behind it: pages that it cannot see go.
  void give_back(int position);

  int n_entries() const { return n_entries_; }
  bool empty() const { return n_entries_ == 0; }
  std::span<const int32_t> pages(int group = 0) const { return pages_[group]; }
  PageRow row(int i) const;
  // For a pass; good until the table changes or moves.
  PageLists lists() const;
  int n_shared() const { return n_shared_; }
  bool may_write(int position) const { return position / pools_->page_tokens() >= n_shared_; }

  void add_shared(const PageRow& row);     // behind all others, which are shared too; held from now
  void add_own(const PageRow& row);        // behind all others; they go over from the caller
  void share(int i, const PageRow& with);  // entry i becomes `with` and read-only; those before it
                                           // are

  // -1: none yet.
  int32_t state() const { return state_; }
  void take_state();  // CHECK: none yet, and one is free
  int32_t swap_state(int32_t slot) { return std::exchange(state_, slot); }
  // What the slot holds when the sequence first gets one: the state after the tokens of its shared
  // entries. Null: it begins at position 0.
  StateBytes start;

 private:
  CachePools* pools_;
  int n_entries_ = 0, n_shared_ = 0;
  int n_given_back_ = 0;  // entries before it are absent in every group with a window
  int32_t state_ = -1;
  std::vector<std::vector<int32_t>> pages_;  // by group
  mutable std::array<PageLists::Pages, kMaxCacheGroups> lists_;
};

}  // namespace quern
