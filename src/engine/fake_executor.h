// An executor for tests: logits are a hash of all tokens up to the row, read through the pages that
// were passed. A wrong page, position or order of rows gives other tokens than the right one.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "backend/executor.h"
#include "base/check.h"

namespace quern {

class FakeExecutor final : public Executor {
 public:
  struct Shape {
    int n_vocab = 61, max_rows = 16, page_tokens = 4, n_pages = 64;
    bool roles_count = false;  // logits also depend on the roles in which rows were computed
  };
  explicit FakeExecutor(Shape shape)
      : shape_(shape), cache_(size_t{1} * shape.n_pages * shape.page_tokens, -1) {}

  int n_vocab() const override { return shape_.n_vocab; }
  int max_rows() const override { return shape_.max_rows; }
  int page_tokens() const override { return shape_.page_tokens; }
  int n_pages() const override { return shape_.n_pages; }
  int64_t page_bytes() const override { return shape_.page_tokens * int64_t{sizeof(int32_t)}; }

  Result<> forward(const Batch& batch, std::span<float> logits) override {
    check_batch(batch, logits);
    ++n_steps;
    n_rows += static_cast<int64_t>(batch.tokens.size());
    most_chunks = std::max(most_chunks, batch.chunks.size());
    if (fail_next) return *std::exchange(fail_next, {});
    size_t n_done = 0;
    for (const Chunk& chunk : batch.chunks) {
      for (int i = 0; i < chunk.n_rows; ++i) {
        const int row = chunk.first_row + i;
        const bool used = i >= chunk.n_rows - chunk.n_used;
        slot(chunk, chunk.position + i) =
            batch.tokens[row] + (used && shape_.roles_count ? shape_.n_vocab : 0);
        if (n_done == batch.used.size() || batch.used[n_done] != row) continue;
        CHECK(used, "logits are computed of used rows");
        write_logits(history(chunk, chunk.position + i),
                     logits.subspan(n_done++ * shape_.n_vocab, shape_.n_vocab));
      }
    }
    CHECK(n_done == batch.used.size(), "used rows are ascending rows of the batch");
    return Ok{};
  }

  int64_t n_steps = 0, n_rows = 0;
  size_t most_chunks = 0;
  std::optional<Error> fail_next;

 private:
  void check_batch(const Batch& batch, std::span<float> logits) const {
    const size_t n_tokens = batch.tokens.size();
    CHECK(n_tokens > 0 && n_tokens <= static_cast<size_t>(shape_.max_rows), "rows in range");
    CHECK(logits.size() == batch.used.size() * shape_.n_vocab, "logits of the used rows");
    int row = 0;
    std::set<int32_t> pages;
    for (const Chunk& chunk : batch.chunks) {
      CHECK(chunk.first_row == row && chunk.n_rows > 0 && chunk.position >= 0, "chunks in order");
      row += chunk.n_rows;
      CHECK(chunk.pages.size() * shape_.page_tokens >=
                static_cast<size_t>(chunk.position) + chunk.n_rows,
            "pages for all tokens");
      for (const int32_t page : chunk.pages) {
        CHECK(page >= 0 && page < shape_.n_pages, "a page that is there");
        CHECK(pages.insert(page).second, "no page twice");
      }
    }
    CHECK(static_cast<size_t>(row) == n_tokens, "chunks hold all rows");
  }

  int32_t& slot(const Chunk& chunk, int position) {
    const int32_t page = chunk.pages[position / shape_.page_tokens];
    return cache_[size_t{1} * page * shape_.page_tokens + position % shape_.page_tokens];
  }

  uint64_t history(const Chunk& chunk, int position) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a over the tokens
    for (int i = 0; i <= position; ++i) hash = (hash ^ slot(chunk, i)) * 1099511628211u;
    return hash;
  }

  static void write_logits(uint64_t hash, std::span<float> logits) {
    for (float& logit : logits) {
      hash = hash * 6364136223846793005u + 1442695040888963407u;
      logit = static_cast<float>(hash >> 40) / float{1 << 24} * 8 - 4;
    }
  }

  Shape shape_;
  std::vector<int32_t> cache_;  // (n_pages, page_tokens): the token whose keys would lie there
};

}  // namespace quern
