// One forward pass on the way: what every step of it reads, and where its rows are.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/program_weights.h"
#include "backend/cpu/work_queue.h"
#include "backend/executor.h"

namespace quern::cpu {

// Where a row of the batch stands in the cache.
struct RowPlace {
  int32_t slot, position;
  Role role;
};

// Consecutive rows of one role, as long as can be.
struct RowRun {
  int first, n_rows;
  Role role;
};

// Consecutive rows of one sequence and role.
struct AttendRun {
  int first_row, n_rows, position;
  Role role;
  PageLists pages;
  int64_t first_state;  // of attend_states, in states of a head: (splits, rows); -1: not in splits
};
inline constexpr int kShortRun = 4;  // rows; such runs may be shared by the splits of their context

struct Pass {
  const Program& program;
  const Pointers& pointers;
  const Kernels& kernels;
  const Batch& batch;
  std::span<const RowPlace> places;  // (n_rows)
  std::span<const RowRun> runs;      // all rows, in order
  std::byte* arena;
  std::span<const LayerCache> caches;  // (n_layers)
  std::span<const int> groups;         // (n_layers): whose pages a layer has
  // (n_groups, max_rows): where the row's keys and values go.
  std::span<const int32_t> row_pages;
  // Per table: (max_rows, 2, rotated / 2), cosines then sines. Numerics that are exact have their
  // own, and no others.
  std::span<std::vector<float>> rope_angles;
  std::span<std::vector<double>> exact_angles;
  WorkQueues& queues;
  uint16_t first_turn;  // of the queues: that of the angles; step i has the one i + 1 later
  int n_threads;
  std::span<const AttendRun> attend_runs;   // all rows, in order
  std::span<std::atomic<int>> attend_done;  // per run: items done of the step at hand
  float* attend_states;

  int32_t page_of(int layer, int row) const {
    return row_pages[int64_t{1} * groups[layer] * program.max_rows + row];
  }
  int n_rows(Rows rows) const {
    return static_cast<int>(rows == Rows::tokens ? batch.tokens.size() : batch.used.size());
  }
  const AttentionKernels& attention() const {
    return *cache_kernels(kernels, program.numerics, program.kv);
  }
  const PromptAttention* prompt_attention() const {
    return prompt_kernels(kernels, program.numerics, program.kv);
  }
};

// A thread's part of a pass. scratch: scratch_bytes(program, kernels), aligned to 64.
struct Worker {
  int thread, n_threads;
  std::byte* scratch;
};

int64_t scratch_bytes(const Program& program, const Kernels& kernels);

// A pass is a row of turns: the angles of its positions, then steps of the program, all or as many
// as the hidden states need. Items of a turn, and what a thread can get hold of of them; it returns
// how many it did.
inline int n_turns(int n_steps) { return n_steps + 1; }
int64_t count_items(const Pass& pass, int turn);
int64_t run_turn(const Pass& pass, const Worker& worker, int turn);

// Items of a step for this thread to do next.
class Items {
 public:
  Items(const Pass& pass, const Worker& worker, int turn, int64_t n_items)
      : pass_(pass), worker_(worker), turn_(turn), n_items_(n_items) {}
  Range take(int64_t most) {
    const auto turn = static_cast<uint16_t>(pass_.first_turn + turn_);
    const Range range = pass_.queues.take(turn, worker_.thread, n_items_, most);
    n_taken_ += range.last - range.first;
    return range;
  }
  int64_t n_taken() const { return n_taken_; }

 private:
  const Pass& pass_;
  const Worker& worker_;
  const int turn_;
  const int64_t n_items_;
  int64_t n_taken_ = 0;
};

// Where row `row` of a view stands, and how far apart rows are in numbers. T: double where numerics
// are exact, else float.
std::byte* row_bytes(const Pass& pass, const Worker& worker, const View& view, int row);
template <class T>
T* row_numbers(const Pass& pass, const Worker& worker, const View& view, int row) {
  return reinterpret_cast<T*>(row_bytes(pass, worker, view, row));
}
template <class T>
int64_t stride_numbers(const Pass& pass, const View& view) {
  return pass.program.buffers[view.buffer].row_bytes / static_cast<int64_t>(sizeof(T));
}

// attend_step.cc: how the rows of a batch attend.
struct SplitRoles {
  bool of[kRoles];
  bool operator[](Role role) const { return of[static_cast<int>(role)]; }
};
int64_t most_attend_states(int max_rows, int n_pages);  // that a batch may use, of a head
void plan_attention(const Batch& batch, std::span<const CacheGroup> groups,
                    const SplitRoles& may_split, int64_t most_states, std::vector<AttendRun>& runs);
int64_t attend_scratch_bytes(const Program& program, const Kernels& kernels);
int64_t count_items(const Pass& pass, const AttendStep& step);
void run(const Pass& pass, const Worker& worker, const AttendStep& step, Items& items);

int64_t n_panels(const ProductStep& step);  // of all its parts
int64_t scratch_bytes(const ProductStep& step, int max_rows, const Kernels& kernels);
void run(const Pass& pass, const Worker& worker, const ProductStep& step, Items& items);

}  // namespace quern::cpu
