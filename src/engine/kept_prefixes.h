// The cache of sequences that have finished, kept for a prompt that begins like one of them: the
// next turn of a conversation need not compute its history again.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/pages.h"

namespace quern {

struct Prefix {
  std::vector<int32_t> tokens;  // whose keys and values lie in `pages`
  PageTable pages;
};

// A kept sequence goes over to one request as a whole and is cut to what both share; pages are
// never in two hands. Not thread-safe.
//
// Reuse changes no bit, because a cached row has the same numerics whether it was a prompt row or a
// row whose logits were used. Once the two differ (two terms for used rows), what is kept must be
// keyed by role as well.
class KeptPrefixes {
 public:
  explicit KeptPrefixes(size_t most) : most_(most) {}

  // The latest to be kept is the last to be dropped. Nothing to keep is no error.
  void keep(Prefix prefix);
  // The kept sequence that shares most with `prompt`, cut to the shared tokens, of which there are
  // at most prompt.size() - 1: the last token's logits are wanted. None is taken that would lose
  // more tokens than it saves. Returns how many are shared; `pages` then holds theirs.
  int take(std::span<const int32_t> prompt, PageTable& pages);
  bool drop_oldest();   // gives its pages back; false: there is none
  int n_pages() const;  // held by all of them

 private:
  size_t most_;
  std::vector<Prefix> kept_;  // oldest first
};

}  // namespace quern
