// How an executor describes the memory of sequences: groups of pages and recurrent states. The
// engine allocates by this description alone; it knows no kind of attention.
#pragma once
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

namespace quern {

inline constexpr int kMaxCacheGroups = 8;

// One array that each layer of a group keeps in its pages: keys, values, a latent vector, index
// keys of sparse attention, compressed blocks.
struct CacheArray {
  std::string name;      // "k", "v", "latent", ...
  int64_t width = 0;     // numbers of one entry, all heads together
  int block_tokens = 1;  // tokens of one entry; divides Executor::page_tokens()
  bool operator==(const CacheArray&) const = default;
};

// Layers that share page ids: a page of the group holds page_tokens() consecutive tokens of one
// sequence, for all layers of the group. A sequence has a list of pages for each group.
struct CacheGroup {
  std::string name;  // unique; "full", "window 1024", "latent"
  // Tokens that a row attends to, itself included: a row at position p reads the positions above
  // p - window. 0: all.
  int window = 0;
  int n_pages = 0;         // page ids are [0, n_pages)
  int64_t page_bytes = 0;  // of one page
  std::vector<CacheArray> arrays;
};

// First position that a row at `position` reads in a group with this window.
constexpr int first_position_seen(int window, int position) {
  return window == 0 || position < window ? 0 : position - window + 1;
}
// Pages of a group with a window that one sequence ever holds: of what its next row sees, and of
// the rows of a pass.
constexpr int window_pages(int window, int rows_per_pass, int page_tokens) {
  return static_cast<int>((int64_t{window} - 1 + rows_per_pass + page_tokens - 1) / page_tokens) +
         1;
}

// Memory of recurrent layers: a slot holds the state of one sequence, all layers together, after
// the tokens it has seen.
struct StateSlots {
  int n_slots = 0;  // slot ids are [0, n_slots); 0: the model has no recurrent layers
  int64_t slot_bytes = 0;
};

// A group's page of a sequence that was given back: no row will read it again.
inline constexpr int32_t kAbsentPage = -1;

// The pages of one sequence, a list per group in the order of Executor::groups(): entry i holds the
// tokens [i * page_tokens, (i + 1) * page_tokens). A view: what it was made of outlives it.
class PageLists {
 public:
  using Pages = std::span<const int32_t>;
  PageLists() = default;
  template <class T>
  requires std::convertible_to<const T&, Pages> PageLists(const T& only)
      : only_(only), n_groups_(1) {}  // of an executor with one group
  explicit PageLists(std::span<const Pages> lists)
      : lists_(lists.data()), n_groups_(static_cast<int>(lists.size())) {}

  int n_groups() const { return n_groups_; }
  Pages operator[](int group) const {
    CHECK(group >= 0 && group < n_groups_, "a sequence has a list of pages for each group");
    return lists_ ? lists_[group] : only_;
  }

 private:
  Pages only_;
  const Pages* lists_ = nullptr;
  int n_groups_ = 0;
};

}  // namespace quern
