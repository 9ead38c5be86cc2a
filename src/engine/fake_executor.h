// An executor for tests: logits and hidden states are hashes of what a row sees through the pages
// and the state that were passed: of every group the tokens up to the row, of a group with a window
// the last ones, of a state all tokens that went through it. A wrong page, position, slot or order
// of rows gives other tokens than the right one; reading a page that was given back, or a state
// behind other tokens, stops the test.
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
  struct Group {
    std::string name = "full";
    int window = 0;
    int n_pages = 0;     // 0: as many as the shape says
    int n_arrays = 1;    // numbers per token
    bool block = false;  // and one that stands for all tokens of the page, as compressed keys do
  };
  struct Shape {
    int n_vocab = 61, max_rows = 16, page_tokens = 4, n_pages = 64, width = 6;
    bool roles_count = false;  // they also depend on the roles in which rows were computed
    int context = 1 << 30;     // tokens that they depend on
    std::vector<Group> groups = {Group{}};
    int n_states = 0;
    bool takes_embeddings = true;
  };
  explicit FakeExecutor(Shape shape) : shape_(std::move(shape)), states_(shape_.n_states) {
    for (const Group& g : shape_.groups) {
      const int n_pages = g.n_pages > 0 ? g.n_pages : shape_.n_pages;
      const int64_t numbers = int64_t{1} * shape_.page_tokens * g.n_arrays + g.block;
      CacheGroup group = {.name = g.name,
                          .window = g.window,
                          .n_pages = n_pages,
                          .page_bytes = numbers * int64_t{sizeof(int32_t)}};
      for (int i = 0; i < g.n_arrays; ++i) group.arrays.push_back({"a" + std::to_string(i), 1});
      if (g.block) group.arrays.push_back({"block", 1, shape_.page_tokens});
      groups_.push_back(std::move(group));
      cache_.emplace_back(static_cast<size_t>(numbers * n_pages), -1);
    }
  }

  int n_vocab() const override { return shape_.n_vocab; }
  int width() const override { return shape_.width; }
  int max_rows() const override { return shape_.max_rows; }
  int page_tokens() const override { return shape_.page_tokens; }
  std::span<const CacheGroup> groups() const override { return groups_; }
  bool takes_embeddings() const override { return shape_.takes_embeddings; }
  StateSlots states() const override { return {shape_.n_states, sizeof(State)}; }

  Result<> forward(const Batch& batch, std::span<float> logits) override {
    return run(batch, logits, shape_.n_vocab, 0);
  }
  Result<> embed(const Batch& batch, std::span<float> hidden) override {
    return run(batch, hidden, shape_.width, 1);
  }

  void copy_page(int group, int32_t from, int32_t to) override {
    const auto source = page_bytes(group, from);
    ++n_copied;
    std::ranges::copy(source, page_bytes(group, to).begin());
  }
  void read_page(int group, int32_t page, std::span<std::byte> bytes) const override {
    CHECK(std::ssize(bytes) == groups_[group].page_bytes, "room for one page");
    std::ranges::copy(const_cast<FakeExecutor*>(this)->page_bytes(group, page), bytes.begin());
  }
  void write_page(int group, int32_t page, std::span<const std::byte> bytes) override {
    CHECK(std::ssize(bytes) == groups_[group].page_bytes, "the bytes of one page");
    std::ranges::copy(bytes, page_bytes(group, page).begin());
  }
  void copy_state(int32_t from, int32_t to) override { state(to) = state(from); }
  void read_state(int32_t slot, std::span<std::byte> bytes) const override {
    CHECK(bytes.size() == sizeof(State), "room for one state");
    std::memcpy(bytes.data(), &const_cast<FakeExecutor*>(this)->state(slot), sizeof(State));
  }
  void write_state(int32_t slot, std::span<const std::byte> bytes) override {
    CHECK(bytes.size() == sizeof(State), "the bytes of one state");
    std::memcpy(&state(slot), bytes.data(), sizeof(State));
  }
  std::string page_layout() const override {
    std::string text = "fake, " + std::to_string(shape_.page_tokens) + " tokens, context " +
                       std::to_string(shape_.context) + (shape_.roles_count ? ", by role" : "");
    for (const CacheGroup& group : groups_) text += ", " + group.name;
    return text;
  }

  int64_t n_steps = 0, n_rows = 0, n_copied = 0;
  size_t most_chunks = 0;
  std::function<void()> on_pass;  // called at the beginning of each pass; empty: nothing
  std::optional<Error> fail_next;
  std::optional<float> always;  // every number that comes out

 private:
  struct State {
    uint64_t hash = 0;
    int64_t n_tokens = -1;  // that it has seen; -1: nobody's
  };

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
        append(chunk, chunk.position + i,
               number_of(batch, batch.tokens[row]) +
                   (used && shape_.roles_count ? shape_.n_vocab : 0));
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

  // A token, or what the numbers of an embedding's row come to.
  int32_t number_of(const Batch& batch, int32_t token) const {
    if (token >= 0) return token;
    const size_t at = (-1 - size_t(token)) * shape_.width;
    CHECK(at + shape_.width <= batch.embeddings.size(), "a row of the embeddings");
    uint64_t hash = 14695981039346656037u;
    for (const std::byte byte : std::as_bytes(batch.embeddings.subspan(at, shape_.width)))
      hash = (hash ^ static_cast<uint64_t>(byte)) * 1099511628211u;
    return 1000 + static_cast<int32_t>(hash >> 36);
  }

  // First position that a row sees.
  static int first_seen(const CacheGroup& group, int position) {
    return group.window == 0 ? 0 : std::max(0, position - group.window + 1);
  }

  void check_batch(const Batch& batch, bool room) const {
    const size_t n_tokens = batch.tokens.size();
    CHECK(n_tokens > 0 && n_tokens <= static_cast<size_t>(shape_.max_rows), "rows in range");
    CHECK(room, "room for the used rows' results");
    int row = 0;
    for (const Chunk& chunk : batch.chunks) {
      CHECK(chunk.first_row == row && chunk.n_rows > 0 && chunk.position >= 0, "chunks in order");
      row += chunk.n_rows;
    }
    CHECK(static_cast<size_t>(row) == n_tokens, "chunks hold all rows");
    for (int group = 0; group < std::ssize(groups_); ++group) check_pages(batch, group);
    std::set<int32_t> slots;
    for (const Chunk& chunk : batch.chunks) {
      if (shape_.n_states == 0) break;
      CHECK(chunk.state >= 0 && chunk.state < shape_.n_states, "a slot that is there");
      CHECK(slots.insert(chunk.state).second, "no two chunks share a state");
      CHECK(chunk.position == 0 || states_[chunk.state].n_tokens == chunk.position,
            "a state behind the tokens of the chunk's past");
    }
  }

  void check_pages(const Batch& batch, int group) const {
    std::set<int32_t> read, written;
    for (const Chunk& chunk : batch.chunks) {
      const auto pages = chunk.pages[group];
      CHECK(pages.size() * shape_.page_tokens >= static_cast<size_t>(chunk.position) + chunk.n_rows,
            "pages for all tokens");
      const int first_written = chunk.position / shape_.page_tokens;
      const int first = first_seen(groups_[group], chunk.position) / shape_.page_tokens;
      for (int i = 0; i < std::ssize(pages); ++i) {
        if (i < first && pages[i] == kAbsentPage) continue;
        check_page(group, pages[i]);
        if (i < first_written) {
          read.insert(pages[i]);
        } else {
          CHECK(written.insert(pages[i]).second, "no page is written by two");
        }
      }
    }
    for (const int32_t page : written) CHECK(!read.contains(page), "no page is read and written");
  }

  void check_page(int group, int32_t page) const {
    CHECK(group >= 0 && group < std::ssize(groups_), "a group that is there");
    CHECK(page >= 0 && page < groups_[group].n_pages, "a page that is there");
  }
  std::span<std::byte> page_bytes(int group, int32_t page) {
    check_page(group, page);
    const auto bytes = static_cast<size_t>(groups_[group].page_bytes);
    return std::as_writable_bytes(std::span(cache_[group])).subspan(page * bytes, bytes);
  }
  State& state(int32_t slot) {
    CHECK(slot >= 0 && slot < shape_.n_states, "a slot that is there");
    return states_[slot];
  }

  int32_t* page_numbers(const Chunk& chunk, int group, int position) {
    const int32_t page = chunk.pages[group][position / shape_.page_tokens];
    return reinterpret_cast<int32_t*>(page_bytes(group, page).data());
  }
  int n_arrays(int group) const { return shape_.groups[group].n_arrays; }
  int32_t* slot(const Chunk& chunk, int group, int position) {
    return page_numbers(chunk, group, position) +
           int64_t{1} * (position % shape_.page_tokens) * n_arrays(group);
  }
  // The number of a page's block, and what it should be of its tokens up to `position`.
  int32_t& block(const Chunk& chunk, int group, int position) {
    return page_numbers(chunk, group, position)[shape_.page_tokens * n_arrays(group)];
  }
  int32_t block_of(const Chunk& chunk, int group, int position) {
    uint32_t hash = 2166136261u;
    for (int i = position / shape_.page_tokens * shape_.page_tokens; i <= position; ++i)
      hash = (hash ^ static_cast<uint32_t>(*slot(chunk, group, i))) * 16777619u;
    return static_cast<int32_t>(hash);
  }

  // Each array of a group has numbers of its own.
  void append(const Chunk& chunk, int position, int32_t number) {
    for (int group = 0; group < std::ssize(groups_); ++group) {
      for (int i = 0; i < n_arrays(group); ++i)
        slot(chunk, group, position)[i] = number + i * (group + 1);
      if (shape_.groups[group].block)
        block(chunk, group, position) = block_of(chunk, group, position);
    }
    if (shape_.n_states == 0) return;
    State& its = state(chunk.state);
    if (position == 0) its = {.hash = 0, .n_tokens = 0};
    its.hash = (its.hash ^ static_cast<uint64_t>(number + 1)) * 1099511628211u;
    ++its.n_tokens;
  }

  uint64_t history(const Chunk& chunk, int position) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a over the tokens
    for (int group = 0; group < std::ssize(groups_); ++group) {
      const int first = std::max(first_seen(groups_[group], position),
                                 std::max(0, position + 1 - shape_.context));
      for (int i = first; i <= position; ++i) {
        const int32_t* numbers = slot(chunk, group, i);
        const bool ends_page = (i + 1) % shape_.page_tokens == 0;
        if (shape_.groups[group].block && (ends_page || i == position))
          CHECK(block(chunk, group, i) == block_of(chunk, group, i), "the block of its tokens");
        for (int array = 1; array < n_arrays(group); ++array)
          CHECK(numbers[array] == numbers[0] + array * (group + 1), "arrays of the same token");
        hash = (hash ^ static_cast<uint64_t>(numbers[0])) * 1099511628211u;
      }
    }
    return shape_.n_states == 0 ? hash : hash ^ state(chunk.state).hash;
  }

  static void write_numbers(uint64_t hash, std::span<float> out) {
    for (float& number : out) {
      hash = hash * 6364136223846793005u + 1442695040888963407u;
      number = static_cast<float>(hash >> 40) / float{1 << 24} * 8 - 4;
    }
  }

  Shape shape_;
  std::vector<CacheGroup> groups_;
  std::vector<State> states_;
  // By group, (n_pages, page_tokens, n_arrays): the token whose keys would lie there.
  std::vector<std::vector<int32_t>> cache_;
};

}  // namespace quern
