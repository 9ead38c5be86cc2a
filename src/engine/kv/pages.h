// Pages of the key/value cache: who holds which. Numbers only; the memory is the executor's.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/kv/page_list.h"

namespace quern {

// Page ids [0, n_pages), each free or held by one or more. The page that became free last is taken
// first: its memory is there and warm. Not thread-safe.
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

// The pages of one sequence, in the order of its tokens. The first n_shared() of them are
// read-only: others may hold them too, or will. The rest is its own, and written by nobody else.
// Releases them when it goes. The pool outlives it.
class PageTable {
 public:
  PageTable(PagePool& pool, int page_tokens) : pool_(&pool), page_tokens_(page_tokens) {}
  ~PageTable() { shrink(0); }
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&& other) noexcept;

  void grow(int n_tokens);          // room for n_tokens; CHECK: the pool has the pages
  void shrink(int n_tokens);        // pages wholly behind n_tokens go, the last one first
  int missing(int n_tokens) const;  // pages that grow(n_tokens) would take
  std::span<const int32_t> pages() const { return pages_; }
  int n_shared() const { return n_shared_; }
  bool may_write(int position) const { return position / page_tokens_ >= n_shared_; }

  void add_shared(int32_t page);    // behind all others, which are shared too; held from now on
  void add_own(int32_t page);       // behind all others; it goes over from the caller
  void share(int i, int32_t with);  // page i becomes `with` and read-only; those before it are

 private:
  int pages_for(int n_tokens) const { return (n_tokens + page_tokens_ - 1) / page_tokens_; }

  PagePool* pool_;
  int page_tokens_;
  int n_shared_ = 0;
  std::vector<int32_t> pages_;
};

}  // namespace quern
