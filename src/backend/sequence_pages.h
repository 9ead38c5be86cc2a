// Pages for whoever runs an executor without the engine: each sequence has pages of its own in
// every group. In a group with a window they come round again, once they are out of it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/executor.h"
#include "base/check.h"

namespace quern {

class SequencePages {
 public:
  explicit SequencePages(const Executor& executor) : executor_(executor) {}

  // Room for n_tokens in each of n_sequences from now on. CHECK: the executor has the pages.
  void lay_out(int n_sequences, int n_tokens) {
    const int page = executor_.page_tokens(), n_entries = (n_tokens + page - 1) / page;
    pages_.assign(static_cast<size_t>(n_sequences), {});
    lists_.assign(static_cast<size_t>(n_sequences), {});
    for (const CacheGroup& group : executor_.groups()) {
      const int each =
          group.window == 0
              ? n_entries
              : std::min(n_entries, window_pages(group.window, executor_.max_rows(), page));
      CHECK(int64_t{1} * each * n_sequences <= group.n_pages, "pages for all sequences");
      for (int i = 0; i < n_sequences; ++i) {
        auto& pages = pages_[i].emplace_back(n_entries);
        for (int entry = 0; entry < n_entries; ++entry) pages[entry] = i * each + entry % each;
      }
    }
    for (int i = 0; i < n_sequences; ++i) lists_[i].assign(pages_[i].begin(), pages_[i].end());
  }

  // Of all its tokens; good until the next lay_out().
  PageLists of(int sequence) const { return PageLists(lists_[sequence]); }

 private:
  const Executor& executor_;
  std::vector<std::vector<std::vector<int32_t>>> pages_;  // by sequence, then by group
  std::vector<std::vector<PageLists::Pages>> lists_;      // by sequence
};

}  // namespace quern
