// Vectors of texts: several texts go through one forward pass, as rows of one ragged batch, and
// their hidden states are pooled as they come.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/pages.h"
#include "engine/pool_rows.h"
#include "quern/embeddings.h"

namespace quern {

// Room for so many tokens of a text in its table. False: too little is free. must: then others lose
// theirs, and it is given.
using ReservePages = std::function<bool(PageTable& table, int n_tokens, bool must)>;

// Errors: invalid_argument (a text without tokens, an id out of range), context_too_long (a text
// longer than `context` tokens: names both). The text is named by its number, from 0.
Result<> check_texts(std::span<const std::vector<int32_t>> texts, int n_vocab, int context);

// A call of Model::embed on its way. Bits of a vector depend on its text and the pooling alone. Not
// thread-safe.
class Embedding {
 public:
  struct How {
    Pooling pooling = Pooling::last;  // not automatic
    bool normalize = true;
    std::function<bool()> keep_going;  // asked before each pass; empty: always true
  };
  // Texts are as check_texts wants them; out: (texts, dimensions), dimensions at most the
  // executor's width. Both, and the executor, outlive it.
  Embedding(Executor& executor, std::span<const std::vector<int32_t>> texts, How how,
            std::span<float> out);

  bool done() const { return next_ == texts_.size(); }
  // The next pass, and as many more as the texts in it need to be read to their ends: pages are
  // held during a call only. Errors: the executor's; corrupt (hidden states are not finite),
  // cancelled.
  Result<> advance(CachePools& pools, const ReservePages& reserve);

 private:
  struct Reading {
    size_t text;
    PageTable pages;
    PooledRows rows;
    int n_done = 0;
  };

  int n_rows(size_t text) const;
  void take_more(CachePools& pools, const ReservePages& reserve);
  Result<> run_pass(const ReservePages& reserve);
  Chunk next_chunk(Reading& reading, int rows_left);
  Result<> pool(std::span<const Chunk> chunks);

  Executor& executor_;
  const std::span<const std::vector<int32_t>> texts_;
  const How how_;
  const std::span<float> out_;
  const size_t dimensions_;
  size_t next_ = 0;                // the first text that was not begun
  std::vector<Reading> readings_;  // texts of the next pass; empty between calls
  std::vector<int32_t> tokens_, used_;
  std::vector<float> hidden_;
};

}  // namespace quern
