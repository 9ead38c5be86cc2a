// Pages of the key/value cache: who holds which. Numbers only; the memory is the executor's.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

// Page ids [0, n_pages), each free or held by one table. The page given back last is taken first:
// its memory is there and warm. Not thread-safe.
class PagePool {
 public:
  explicit PagePool(int n_pages);
  int n_pages() const { return static_cast<int>(held_.size()); }
  int n_free() const { return static_cast<int>(free_.size()); }
  int32_t take();  // CHECK: one is free
  void give_back(int32_t page);

 private:
  std::vector<int32_t> free_;
  std::vector<bool> held_;
};

// The pages of one sequence, in the order of its tokens. Gives them back when it goes. The pool
// outlives it.
class PageTable {
 public:
  PageTable(PagePool& pool, int page_tokens) : pool_(&pool), page_tokens_(page_tokens) {}
  ~PageTable() { shrink(0); }
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable&& other) noexcept;

  void grow(int n_tokens);          // room for n_tokens; CHECK: the pool has the pages
  void shrink(int n_tokens);        // pages wholly behind n_tokens go back
  int missing(int n_tokens) const;  // pages that grow(n_tokens) would take
  std::span<const int32_t> pages() const { return pages_; }

 private:
  int pages_for(int n_tokens) const { return (n_tokens + page_tokens_ - 1) / page_tokens_; }

  PagePool* pool_;
  int page_tokens_;
  std::vector<int32_t> pages_;
};

}  // namespace quern
