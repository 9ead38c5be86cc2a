// Guesses the next tokens by a small model that has the same tokens.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/pages.h"
#include "engine/kv/prefix_tree.h"

namespace quern {

// Reads along with several texts at once, in a cache of its own, and continues each with the tokens
// it finds likeliest. A guess is checked by whoever asked for it, so nothing here can change an
// answer: a text that finds too few pages, or whose pass failed, gets no guesses. Not thread-safe;
// called between the passes of the model it guesses for.
class DraftModel {
 public:
  // n_tokens: guesses are below. context: of a text, as far as it guesses; 0: as many as the cache.
  // The executor outlives it, and nobody else uses it meanwhile; it has no recurrent states.
  DraftModel(Executor& executor, int n_tokens, int context);

  struct Text {
    int64_t id;                       // the same until forget()
    std::string_view salt;            // texts of different salts share nothing
    std::span<const int32_t> tokens;  // at least one; what they were in an earlier call comes first
  };
  // Tokens that it has yet to read, the last one included; -1: it cannot follow this text, or not
  // now.
  int n_unread(const Text& text);
  // One pass over what it has not read of these texts, n_rows at most, the first ones first; not
  // over anybody's last token, whose row a guess needs. Returns its rows.
  int read(std::span<const Text> texts, int n_rows);

  struct Wish {
    Text text;
    int most;                      // guesses, at least 1
    std::vector<int32_t>* drafts;  // they are appended here; fewer, or none, where it cannot
  };
  // As many passes as the longest wish, each over all texts that wish for more. Texts with more
  // than most_unread() tokens to read get nothing: read() goes first. Returns how many guesses that
  // are.
  int guess(std::span<const Wish> wishes);

  // The text is over, or waits without pages. What was read may serve a later one.
  void forget(const Text& text);

  int most_unread() const { return most_unread_; }

  // Of the group that has fewest.
  int n_free_pages() const;
  int64_t n_rows() const { return n_rows_; }      // computed so far
  int64_t n_failed() const { return n_failed_; }  // passes

 private:
  struct Reader {
    explicit Reader(PageTable table) : pages(std::move(table)) {}
    PageTable pages;
    int n_read = 0;                // tokens of the text
    std::vector<int32_t> ahead;    // guesses in the pages behind them
    bool off = false;              // for good
    int64_t lacked_pages_at = -1;  // n_forgotten_ then
  };
  struct Pass {
    std::vector<Reader*> readers;
    std::vector<int32_t> tokens, used;
    std::vector<Chunk> chunks;
  };

  Reader& reader(const Text& text);
  void follow(Reader& reader, std::span<const int32_t> tokens);
  bool usable(const Reader& reader) const {
    return !reader.off && reader.lacked_pages_at != n_forgotten_;
  }
  bool prepare(Reader& reader, const Text& text, int end, int n_tokens);
  void let_go(Reader& reader, const Text& text);
  void add(Reader& reader, std::span<const int32_t> tokens, bool used);
  bool run();
  void share(Reader& reader, const Text& text);
  int32_t likeliest(size_t row) const;

  Executor& executor_;
  const int n_tokens_, context_, most_unread_;
  CachePools pools_;  // before everything that holds pages
  PrefixTree prefixes_;
  std::map<int64_t, Reader> readers_;
  int64_t n_forgotten_ = 0, n_rows_ = 0, n_failed_ = 0;
  Pass pass_;
  std::vector<float> logits_;
};

}  // namespace quern
