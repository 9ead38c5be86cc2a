#include "engine/pages.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quern {

PagePool::PagePool(int n_pages) : held_(n_pages, false) {
  free_.reserve(n_pages);
  for (int32_t page = n_pages; page-- > 0;) free_.push_back(page);
}

int32_t PagePool::take() {
  CHECK(!free_.empty(), "the scheduler counts the free pages before anyone takes one");
  const int32_t page = free_.back();
  free_.pop_back();
  held_[page] = true;
  return page;
}

void PagePool::give_back(int32_t page) {
  CHECK(page >= 0 && page < n_pages() && held_[page], "only a held page can be given back");
  held_[page] = false;
  free_.push_back(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_),
      page_tokens_(other.page_tokens_),
      pages_(std::exchange(other.pages_, {})) {}

PageTable& PageTable::operator=(PageTable&& other) noexcept {
  if (this == &other) return *this;
  shrink(0);
  pool_ = other.pool_;
  page_tokens_ = other.page_tokens_;
  pages_ = std::exchange(other.pages_, {});
  return *this;
}

int PageTable::missing(int n_tokens) const {
  return std::max(0, pages_for(n_tokens) - static_cast<int>(pages_.size()));
}

void PageTable::grow(int n_tokens) {
  for (int n = missing(n_tokens); n > 0; --n) pages_.push_back(pool_->take());
}

void PageTable::shrink(int n_tokens) {
  while (static_cast<int>(pages_.size()) > pages_for(n_tokens)) {
    pool_->give_back(pages_.back());
    pages_.pop_back();
  }
}

}  // namespace quern
