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

int max_context(const Executor& executor) {
  int64_t most = INT32_MAX;
  for (const CacheGroup& group : executor.groups())
    if (group.window == 0) most = std::min(most, int64_t{group.n_pages} * executor.page_tokens());
  return static_cast<int>(most);
}

CachePools::CachePools(const Executor& executor)
    : CachePools(executor.page_tokens(), executor.groups(), executor.states().n_slots) {}

CachePools::CachePools(int page_tokens, std::span<const CacheGroup> groups, int n_states)
    : page_tokens_(page_tokens), n_states_(n_states) {
  CHECK(page_tokens > 0 && groups.size() <= kMaxCacheGroups, "an executor describes its cache");
  CHECK(!groups.empty() || n_states > 0, "a sequence has pages, a state, or both");
  for (const CacheGroup& group : groups) {
    groups_.push_back({PagePool(group.n_pages), group.window});
    any_window_ |= group.window > 0;
  }
  for (int32_t slot = n_states; slot-- > 0;) free_states_.push_back(slot);
}

int CachePools::pages_for(int n_tokens) const {
  return static_cast<int>((int64_t{n_tokens} + page_tokens_ - 1) / page_tokens_);
}

int CachePools::first_seen(int group, int position) const {
  return first_position_seen(groups_[group].window, position) / page_tokens_;
}

int32_t CachePools::take_state() {
  CHECK(!free_states_.empty(), "the scheduler counts the free states before anyone takes one");
  const int32_t slot = free_states_.back();
  free_states_.pop_back();
  return slot;
}

PageTable::PageTable(PageTable&& other) noexcept
    : start(std::move(other.start)),
      pools_(other.pools_),
      n_entries_(std::exchange(other.n_entries_, 0)),
      n_shared_(std::exchange(other.n_shared_, 0)),
      n_given_back_(std::exchange(other.n_given_back_, 0)),
      state_(std::exchange(other.state_, -1)),
      pages_(std::exchange(other.pages_, std::vector<std::vector<int32_t>>(pools_->n_groups()))) {}

PageTable& PageTable::operator=(PageTable&& other) noexcept {
  if (this == &other) return *this;
  shrink(0);
  pools_ = other.pools_;
  start = std::move(other.start);
  n_entries_ = std::exchange(other.n_entries_, 0);
  n_shared_ = std::exchange(other.n_shared_, 0);
  n_given_back_ = std::exchange(other.n_given_back_, 0);
  state_ = std::exchange(other.state_, -1);
  std::swap(pages_, other.pages_);
  return *this;
}

int PageTable::missing(int n_tokens) const {
  return std::max(0, pools_->pages_for(n_tokens) - n_entries_);
}

void PageTable::grow(int n_tokens) {
  const int n = missing(n_tokens);
  for (int group = 0; group < pools_->n_groups(); ++group)
    for (int i = 0; i < n; ++i) pages_[group].push_back((*pools_)[group].take());
  n_entries_ += n;
}

void PageTable::shrink(int n_tokens) {
  const int n = std::min(n_entries_, pools_->pages_for(n_tokens));
  for (int group = 0; group < pools_->n_groups(); ++group) {
    auto& pages = pages_[group];
    for (; std::ssize(pages) > n; pages.pop_back())
      if (pages.back() != kAbsentPage) (*pools_)[group].release(pages.back());
  }
  n_entries_ = n;
  n_shared_ = std::min(n_shared_, n);
  n_given_back_ = std::min(n_given_back_, n);
  if (n_tokens > 0) return;
  start = nullptr;
  if (state_ >= 0) pools_->release_state(std::exchange(state_, -1));
}

void PageTable::give_back(int position) {
  if (!pools_->any_window()) return;
  int lowest = n_entries_;
  for (int group = 0; group < pools_->n_groups(); ++group) {
    if (pools_->unlimited(group)) continue;
    const int first = std::min(pools_->first_seen(group, position), n_entries_);
    for (int i = n_given_back_; i < first; ++i) {
      int32_t& page = pages_[group][i];
      if (page != kAbsentPage) (*pools_)[group].release(std::exchange(page, kAbsentPage));
    }
    lowest = std::min(lowest, first);
  }
  n_given_back_ = std::max(n_given_back_, lowest);
}

PageRow PageTable::row(int i) const {
  PageRow row = no_pages();
  for (size_t group = 0; group < pages_.size(); ++group) row[group] = pages_[group][i];
  return row;
}

PageLists PageTable::lists() const {
  std::copy(pages_.begin(), pages_.end(), lists_.begin());
  return PageLists(std::span<const PageLists::Pages>(lists_).first(pages_.size()));
}

void PageTable::add_shared(const PageRow& row) {
  CHECK(n_shared_ == n_entries_, "shared pages stand before a sequence's own");
  for (size_t group = 0; group < pages_.size(); ++group) {
    if (row[group] != kAbsentPage) (*pools_)[static_cast<int>(group)].hold(row[group]);
    pages_[group].push_back(row[group]);
  }
  ++n_shared_, ++n_entries_;
}

void PageTable::add_own(const PageRow& row) {
  for (size_t group = 0; group < pages_.size(); ++group) {
    CHECK(
        row[group] == kAbsentPage || (*pools_)[static_cast<int>(group)].n_holders(row[group]) == 1,
        "a page of its own is in no other hand");
    pages_[group].push_back(row[group]);
  }
  ++n_entries_;
}

void PageTable::share(int i, const PageRow& with) {
  CHECK(i >= 0 && i <= n_shared_ && i < n_entries_, "shared pages stand before a sequence's own");
  n_shared_ = std::max(n_shared_, i + 1);
  for (size_t group = 0; group < pages_.size(); ++group) {
    PagePool& pool = (*pools_)[static_cast<int>(group)];
    int32_t& page = pages_[group][i];
    // What it gave back it does not need, and what the others lack it keeps.
    if (page == with[group] || page == kAbsentPage || with[group] == kAbsentPage) continue;
    pool.hold(with[group]);
    pool.release(std::exchange(page, with[group]));
  }
}

void PageTable::take_state() {
  CHECK(state_ < 0, "a sequence has one state");
  state_ = pools_->take_state();
}

}  // namespace quern
