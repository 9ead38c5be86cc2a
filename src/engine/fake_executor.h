// An executor for tests: logits and hidden states are hashes of all tokens up to the row, read
// through the pages that were passed. A wrong page, position or order of rows gives other tokens
// than the right one.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/executor.h"
#include "base/check.h"

namespace quern {

class FakeExecutor final : public Executor {
 public:
  struct Shape {
    int n_vocab = 61, max_rows = 16, page_tokens = 4, n_pages = 64, width = 6;
    bool roles_count = false;  // they also depend on the roles in which rows were computed
    int context = 1 << 30;     // tokens that they depend on
  };
  explicit FakeExecutor(Shape shape)
      : shape_(shape), cache_(size_t{1} * shape.n_pages * shape.page_tokens, -1) {}

  int n_vocab() const override { return shape_.n_vocab; }
  int width() const override { return shape_.width; }
  int max_rows() const override { return shape_.max_rows; }
  int page_tokens() const override { return shape_.page_tokens; }
  std::span<const CacheGroup> groups() const override { return {&group_, 1}; }

  Result<> forward(const Batch& batch, std::span<float> logits) override {
    return run(batch, logits, shape_.n_vocab, 0);
  }
  Result<> embed(const Batch& batch, std::span<float> hidden) override {
    return run(batch, hidden, shape_.width, 1);
  }

  void copy_page(int, int32_t from, int32_t to) override {
    check_page(from);
    check_page(to);
    ++n_copied;
    std::copy_n(page_at(from), shape_.page_tokens, page_at(to));
  }
  void read_page(int, int32_t page, std::span<std::byte> bytes) const override {
    check_page(page);
    CHECK(std::ssize(bytes) == group_.page_bytes, "room for one page");
    std::memcpy(bytes.data(), cache_.data() + size_t{1} * page * shape_.page_tokens, bytes.size());
  }
  void write_page(int, int32_t page, std::span<const std::byte> bytes) override {
    check_page(page);
    CHECK(std::ssize(bytes) == group_.page_bytes, "the bytes of one page");
    std::memcpy(cache_.data() + size_t{1} * page * shape_.page_tokens, bytes.data(), bytes.size());
  }
  std::string page_layout() const override {
    return "fake, " + std::to_string(shape_.page_tokens) + " tokens";
  }

  int64_t n_steps = 0, n_rows = 0, n_copied = 0;
  size_t most_chunks = 0;
  std::function<void()> on_pass;  // called at the beginning of each pass; empty: nothing
  std::optional<Error> fail_next;
  std::optional<float> always;  // every number that comes out

 private:
  // What comes out of a row is `width` numbers that depend on its history and the salt.
  Result<> run(const Batch& batch, std::span<float> out, int width, uint64_t salt) {
    check_batch(batch, out.size() == batch.used.size() * width);
    if (on_pass) on_pass();
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
        CHECK(used, "logits and hidden states are computed of used rows");
        const auto numbers = out.subspan(n_done++ * width, width);
        write_numbers(history(chunk, chunk.position + i) + salt, numbers);
        if (always) std::fill(numbers.begin(), numbers.end(), *always);
      }
    }
    CHECK(n_done == batch.used.size(), "used rows are ascending rows of the batch");
    return Ok{};
  }

  void check_batch(const Batch& batch, bool room) const {
    const size_t n_tokens = batch.tokens.size();
    CHECK(n_tokens > 0 && n_tokens <= static_cast<size_t>(shape_.max_rows), "rows in range");
    CHECK(room, "room for the used rows' results");
    int row = 0;
    std::set<int32_t> read, written;
    for (const Chunk& chunk : batch.chunks) {
      CHECK(chunk.first_row == row && chunk.n_rows > 0 && chunk.position >= 0, "chunks in order");
      row += chunk.n_rows;
      CHECK(chunk.pages[0].size() * shape_.page_tokens >=
                static_cast<size_t>(chunk.position) + chunk.n_rows,
            "pages for all tokens");
      const int first_written = chunk.position / shape_.page_tokens;
      for (int i = 0; i < std::ssize(chunk.pages[0]); ++i) {
        check_page(chunk.pages[0][i]);
        if (i < first_written) {
          read.insert(chunk.pages[0][i]);
        } else {
          CHECK(written.insert(chunk.pages[0][i]).second, "no page is written by two");
        }
      }
    }
    for (const int32_t page : written) CHECK(!read.contains(page), "no page is read and written");
    CHECK(static_cast<size_t>(row) == n_tokens, "chunks hold all rows");
  }

  void check_page(int32_t page) const {
    CHECK(page >= 0 && page < shape_.n_pages, "a page that is there");
  }
  std::vector<int32_t>::iterator page_at(int32_t page) {
    return cache_.begin() + int64_t{1} * page * shape_.page_tokens;
  }

  int32_t& slot(const Chunk& chunk, int position) {
    const int32_t page = chunk.pages[0][position / shape_.page_tokens];
    return cache_[size_t{1} * page * shape_.page_tokens + position % shape_.page_tokens];
  }

  uint64_t history(const Chunk& chunk, int position) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a over the tokens
    for (int i = std::max(0, position + 1 - shape_.context); i <= position; ++i)
      hash = (hash ^ slot(chunk, i)) * 1099511628211u;
    return hash;
  }

  static void write_numbers(uint64_t hash, std::span<float> out) {
    for (float& number : out) {
      hash = hash * 6364136223846793005u + 1442695040888963407u;
      number = static_cast<float>(hash >> 40) / float{1 << 24} * 8 - 4;
    }
  }

  Shape shape_;
  CacheGroup group_ = {.name = "full",
                       .n_pages = shape_.n_pages,
                       .page_bytes = shape_.page_tokens * int64_t{sizeof(int32_t)},
                       .arrays = {{"tokens", 1}}};
  std::vector<int32_t> cache_;  // (n_pages, page_tokens): the token whose keys would lie there
};

}  // namespace quern
