// Some of the numbers [0, n) in an order, each at most once: append, remove and front take constant
// time, and nothing is allocated but by resize().
#pragma once
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace quern {

class PageList {
 public:
  explicit PageList(int n) { resize(n); }
  void resize(int n) {
    links_.resize(static_cast<size_t>(n) + 1);
  }  // n: as many as before, or more
  int size() const { return size_; }
  bool contains(int32_t page) const { return links_[page + 1].next >= 0; }
  int32_t front() const { return size_ == 0 ? -1 : links_[0].next - 1; }

  void append(int32_t page) {
    CHECK(!contains(page), "a page stands in a list once");
    const int32_t at = page + 1, last = size_ == 0 ? 0 : links_[0].previous;
    links_[at] = {last, 0};
    links_[last].next = at;
    links_[0].previous = at;
    ++size_;
  }
  void remove(int32_t page) {
    CHECK(contains(page), "only what is in the list can leave it");
    const Link link = links_[page + 1];
    links_[link.previous].next = link.next;
    links_[link.next].previous = link.previous;
    links_[page + 1] = {};
    --size_;
  }

 private:
  struct Link {
    int32_t previous = -1, next = -1;  // positions in links_; -1: not in the list
  };
  std::vector<Link> links_;  // the first is the list's ends, then one for each number
  int size_ = 0;
};

}  // namespace quern
