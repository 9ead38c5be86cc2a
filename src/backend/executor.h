// What the engine sees of a compiled model. It knows tokens, pages, logits and hidden states; it
// knows no graph, no file, no device.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/cache_group.h"
#include "base/result.h"
#include "quern/numerics.h"

namespace quern {

// Numerics follow from a row's role, never from its batch: a row's bits are the same alone and in a
// crowd.
enum class Role : uint8_t {
  prompt,  // its keys and values are wanted, nothing else
  used,    // its logits or hidden state are wanted, or were when it was computed first
};
inline constexpr int kRoles = 2;

// A run of consecutive tokens of one sequence.
struct Chunk {
  int first_row;  // its rows in the batch are [first_row, first_row + n_rows)
  int n_rows;
  int position;  // position of its first token in the sequence = tokens already in the cache
  // The sequence's pages by group, enough for position + n_rows tokens. Of a group with a window,
  // pages wholly at or below position - window may be kAbsentPage.
  PageLists pages;
  int n_used;  // its last n_used rows have Role::used, the others Role::prompt
  // Slot with the recurrent state after `position` tokens, which the pass advances by n_rows; at
  // position 0 the pass starts from the initial state, whatever the slot holds. Ignored where the
  // executor has no states.
  int32_t state = -1;
};

struct Batch {
  // (n_rows), each in [0, n_vocab), or -1 - r for row r of `embeddings`.
  std::span<const int32_t> tokens;
  std::span<const Chunk> chunks;  // in row order, together all rows; no two of one sequence.
                                  // Chunks may share pages that none of them writes, and no
                                  // state
  std::span<const int32_t> used;  // rows whose results are wanted, ascending, all of Role::used
  // (n, width()): what stands in place of a token's row of the model's embedding matrix. Empty
  // where the executor does not take them.
  std::span<const float> embeddings = {};
};

// When one thread worked on one step of a pass, by a steady clock.
struct StepTime {
  int step, thread;
  int64_t begin_ns, end_ns;
};

// One pass, for whoever looks for its time.
struct PassProfile {
  std::span<const std::string> steps;  // what each does; equal work has equal names
  std::vector<StepTime> times;         // of every thread and the steps it took part in
  int n_rows;
};

// One per loaded model; forward and embed are called by one thread at a time. A row's bits depend
// on the tokens up to its position and on their roles; not on the other rows of its batch, on how
// its prompt was cut into chunks, or on the number of threads.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual int n_vocab() const = 0;
  virtual int max_rows() const = 0;  // rows of one batch at most
  // Tokens of a page, in every group; 64 on the CPU: the attention kernels' tile.
  virtual int page_tokens() const = 0;
  // Constant; at most kMaxCacheGroups. None: the model has recurrent layers only.
  virtual std::span<const CacheGroup> groups() const = 0;
  virtual StateSlots states() const { return {}; }  // constant
  // Appends keys and values to the pages, advances the states and writes logits (n_used, n_vocab).
  // A batch that breaks the contract above is a bug (CHECK). Errors: out_of_memory, unavailable
  // (device lost); pages are then undefined from `position` on, states as a whole.
  virtual Result<> forward(const Batch& batch, std::span<float> logits) = 0;

  // Elements of a hidden state; 0: this executor gives none.
  virtual int width() const { return 0; }
  // Whether a batch may have rows of embeddings, of width() numbers each.
  virtual bool takes_embeddings() const { return false; }
  // As forward, but writes the final hidden states (n_used, width), of which logits are made, and
  // makes no logits. Errors: as forward; unsupported where width() is 0.
  virtual Result<> embed(const Batch& batch, std::span<float> hidden);

  // Between passes, by the thread that calls forward. Ids out of range and spans that are not
  // page_bytes or slot_bytes long are bugs (CHECK). A lost device shows in the next forward.
  //
  // The bytes of a page hold all its tokens of all layers of its group, layer after layer, and
  // nothing that depends on which page it is: written to another page of the group, or to an
  // executor with the same weights and page_layout(), the rows that follow get the same bits. Only
  // what forward wrote counts; slots of tokens that were never there hold what an earlier owner of
  // the page left. The same holds for the bytes of a state.
  virtual void copy_page(int group, int32_t from, int32_t to) = 0;
  virtual void read_page(int group, int32_t page, std::span<std::byte> bytes) const = 0;
  virtual void write_page(int group, int32_t page, std::span<const std::byte> bytes) = 0;
  virtual void copy_state(int32_t from, int32_t to);
  virtual void read_state(int32_t slot, std::span<std::byte> bytes) const;
  virtual void write_state(int32_t slot, std::span<const std::byte> bytes);
  // One line that says what the bytes of pages and states mean and how they were computed, weights
  // apart: kernels, numerics, kind of cache, shapes.
  virtual std::string page_layout() const = 0;
};

inline Result<> Executor::embed(const Batch&, std::span<float>) {
  return Error{Code::unsupported, "hidden states are not given on this device", "", ""};
}

inline void Executor::copy_state(int32_t, int32_t) { CHECK(false, "an executor with states"); }
inline void Executor::read_state(int32_t, std::span<std::byte>) const {
  CHECK(false, "an executor with states");
}
inline void Executor::write_state(int32_t, std::span<const std::byte>) {
  CHECK(false, "an executor with states");
}

}  // namespace quern
