#include "engine/kv/pages.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quern {

PagePool::PagePool(int n_pages) : pages_(n_pages), idle_(n_pages) {
  free_.reserve(n_pages);
  for (int32_t page = n_pages; page-- > 0;) free_.push_back(page);
}

const PagePool::Page& PagePool::at(int32_t page) const {
  CHECK(page >= 0 && page < n_pages(), "page ids are below n_pages");
  return pages_[page];
}

int32_t PagePool::take() {
  CHECK(!free_.empty(), "the scheduler counts the free pages before anyone takes one");
  const int32_t page = free_.back();
  free_.pop_back();
  pages_[page].n_holders = 1;
  return page;
}

void PagePool::hold(int32_t page) {
  Page& p = at(page);
  CHECK(p.n_holders > 0, "a free page is taken, not held");
  if (p.idle()) idle_.remove(page);
  ++p.n_holders;
}

void PagePool::release(int32_t page) {
  Page& p = at(page);
  CHECK(p.n_holders > (p.cached ? 1 : 0), "only a held page can be released");
  --p.n_holders;
  if (p.idle()) idle_.append(page);
  if (p.n_holders == 0) free_.push_back(page);
}

void PagePool::cache(int32_t page) {
  hold(page);
  CHECK(!at(page).cached, "the cache holds a page once");
  at(page).cached = true;
}

void PagePool::uncache(int32_t page) {
  Page& p = at(page);
  CHECK(p.cached, "only a cached page can leave the cache");
  if (p.idle()) idle_.remove(page);
  p.cached = false;
  release(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_),
      page_tokens_(other.page_tokens_),
      n_shared_(std::exchange(other.n_shared_, 0)),
      pages_(std::exchange(other.pages_, {})) {}

PageTable& PageTable::operator=(PageTable&& other) noexcept {
  if (this == &other) return *this;
  shrink(0);
  pool_ = other.pool_;
  page_tokens_ = other.page_tokens_;
  n_shared_ = std::exchange(other.n_shared_, 0);
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
    pool_->release(pages_.back());
    pages_.pop_back();
  }
  n_shared_ = std::min(n_shared_, static_cast<int>(pages_.size()));
}

void PageTable::add_shared(int32_t page) {
  CHECK(n_shared_ == std::ssize(pages_), "shared pages stand before a sequence's own");
  pool_->hold(page);
  pages_.push_back(page);
  ++n_shared_;
}

void PageTable::add_own(int32_t page) {
  CHECK(pool_->n_holders(page) == 1, "a page of its own is in no other hand");
  pages_.push_back(page);
}

void PageTable::share(int i, int32_t with) {
  CHECK(i >= 0 && i <= n_shared_ && i < std::ssize(pages_),
        "shared pages stand before a sequence's own");
  n_shared_ = std::max(n_shared_, i + 1);
  if (pages_[i] == with) return;
  pool_->hold(with);
  pool_->release(std::exchange(pages_[i], with));
}

}  // namespace quern
