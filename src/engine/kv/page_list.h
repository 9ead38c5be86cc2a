// Some of the pages [0, n) in an order, each at most once: append, remove and front take constant
// time, and nothing is allocated after construction.
#pragma once
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace quern {

class PageList {
 public:
  explicit PageList(int n_pages) : links_(n_pages + 1) {  // the last link is the list's ends
    links_.back() = {n_pages, n_pages};
  }
  int size() const { return size_; }
  bool contains(int32_t page) const { return links_[page].next >= 0; }
  int32_t front() const { return size_ == 0 ? -1 : links_.back().next; }

  void append(int32_t page) {
    CHECK(!contains(page), "a page stands in a list once");
    const auto end = static_cast<int32_t>(links_.size()) - 1;
    links_[page] = {links_[end].previous, end};
    links_[links_[end].previous].next = page;
    links_[end].previous = page;
    ++size_;
  }
  void remove(int32_t page) {
    CHECK(contains(page), "only what is in the list can leave it");
    const Link link = links_[page];
    links_[link.previous].next = link.next;
    links_[link.next].previous = link.previous;
    links_[page] = {};
    --size_;
  }

 private:
  struct Link {
    int32_t previous = -1, next = -1;  // -1: not in the list
  };
  std::vector<Link> links_;
  int size_ = 0;
};

}  // namespace quern
