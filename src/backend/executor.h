// What the engine sees of a compiled model. It knows tokens, pages and logits; it knows no graph,
// no file, no device.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern {

// Numerics follow from a row's role, never from its batch: a row's bits are the same alone and in a
// crowd.
enum class Role : uint8_t {
  prompt,  // its keys and values are wanted, nothing else
  used,    // its logits are wanted, or were when it was computed for the first time
};
inline constexpr int kRoles = 2;

// A run of consecutive tokens of one sequence.
struct Chunk {
  int first_row;  // its rows in the batch are [first_row, first_row + n_rows)
  int n_rows;
  int position;  // position of its first token in the sequence = tokens already in the cache
  std::span<const int32_t>
      pages;   // the sequence's pages in order; enough for position + n_rows tokens
  int n_used;  // its last n_used rows have Role::used, the others Role::prompt
};

struct Batch {
  std::span<const int32_t> tokens;  // (n_rows), each in [0, n_vocab)
  std::span<const Chunk> chunks;    // in row order, together all rows; no two of one sequence
  std::span<const int32_t> used;    // rows whose logits are wanted, ascending, all of Role::used
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

// One per loaded model; forward is called by one thread at a time. A row's bits depend on the
// tokens up to its position and on their roles; not on the other rows of its batch, on how its
// prompt was cut into chunks, or on the number of threads.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual int n_vocab() const = 0;
  virtual int max_rows() const = 0;        // rows of one batch at most
  virtual int page_tokens() const = 0;     // 64 on the CPU: the attention kernels' tile
  virtual int n_pages() const = 0;         // page ids are [0, n_pages)
  virtual int64_t page_bytes() const = 0;  // of one page, all layers together
  // Appends keys and values to the pages and writes logits (n_used, n_vocab). A batch that breaks
  // the contract above is a bug (CHECK). Errors: out_of_memory, unavailable (device lost); the
  // pages are then undefined from `position` on.
  virtual Result<> forward(const Batch& batch, std::span<float> logits) = 0;
};

}  // namespace quern
