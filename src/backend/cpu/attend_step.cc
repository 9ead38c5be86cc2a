// Attention of a pass, cut into items that the threads share.
//
// A chunk is one or two runs: its prompt rows, then its used ones. A long run is cut into (kv head,
// block of rows) items, head by head, so that a thread finds a head's keys and values in its cache
// again. A run of a few rows reads every page once, and the memory decides: it is cut into splits
// of its context and ranges of heads, as many as keep the threads busy. Whoever ends the last item
// of such a run joins its splits.
#include <algorithm>

#include "backend/cpu/pass.h"

namespace quern::cpu {
namespace {

// One step's view of the runs.
class Cuts {
 public:
  Cuts(const Pass& pass, const AttentionShape& shape) : pass_(pass), shape_(shape) {
    int64_t n_parts = 0;  // of short runs
    for (const AttendRun& run : pass.attend_runs)
      if (is_short(run)) n_parts += n_splits(run);
    heads_ = heads_of_range(n_parts);
  }

  // What run `run` is cut into.
  struct Cut {
    int heads, n_ranges, rows, n_blocks, n_splits;
    int n_items() const { return n_ranges * n_blocks * n_splits; }
  };
  Cut cut(const AttendRun& run) const {
    if (!is_short(run)) {
      const int rows = attention_rows(shape_);
      return {1, shape_.n_kv_heads, rows, (run.n_rows + rows - 1) / rows, 1};
    }
    return {heads_, (shape_.n_kv_heads + heads_ - 1) / heads_, run.n_rows, 1, n_splits(run)};
  }

  int64_t count() const {
    int64_t n = 0;
    for (const AttendRun& run : pass_.attend_runs) n += cut(run).n_items();
    return n;
  }

 private:
  static bool is_short(const AttendRun& run) { return run.n_rows <= kShortRun; }
  int n_splits(const AttendRun& run) const {
    if (run.first_state < 0) return 1;
    const Splits splits = splits_of(shape_.window, run.position, run.n_rows);
    return splits.last - splits.first + 1;
  }
  // Few parts are cut further by heads: into one piece per thread if there is one part, else into
  // about four, for parts may differ in length. Pages are read best with all their heads.
  int heads_of_range(int64_t n_parts) const {
    const int n_threads = pass_.n_threads, n_heads = shape_.n_kv_heads;
    if (n_threads == 1 || n_parts == 0) return n_heads;
    const int64_t wanted = n_parts == 1 ? n_threads : (4 * n_threads + n_parts - 1) / n_parts;
    const int n_ranges = static_cast<int>(std::clamp<int64_t>(wanted, 1, n_heads));
    return (n_heads + n_ranges - 1) / n_ranges;
  }

  const Pass& pass_;
  const AttentionShape& shape_;
  int heads_;
};

template <class T>
AttendCallOf<T> call_of(const Pass& pass, const Worker& worker, const AttendStep& step,
                        const AttendRun& run) {
  return {.shape = pass.program.layers[step.layer],
          .cache = pass.caches[step.layer],
          .pages = run.pages[pass.groups[step.layer]],
          .position = run.position,
          .n_rows = run.n_rows,
          .kv_head = 0,
          .n_kv_heads = pass.program.layers[step.layer].n_kv_heads,
          .q = row_numbers<T>(pass, worker, step.q, run.first_row),
          .q_stride = stride_numbers<T>(pass, step.q),
          .out = row_numbers<T>(pass, worker, step.out, run.first_row),
          .out_stride = stride_numbers<T>(pass, step.out),
          .scratch = worker.scratch};
}

// Items of a run count ranges of heads, then splits, then blocks of rows.
struct Place {
  int head, split, block;
  Place(const Cuts::Cut& cut, int item)
      : head(item / cut.n_blocks / cut.n_splits * cut.heads),
        split(item / cut.n_blocks % cut.n_splits),
        block(item % cut.n_blocks) {}
};

template <class T>
AttendCallOf<T> part_of(AttendCallOf<T> call, const Cuts::Cut& cut, const Place& place) {
  call.kv_head = place.head;
  call.n_kv_heads = std::min(cut.heads, call.shape.n_kv_heads - place.head);
  const int row = place.block * cut.rows;
  call.position += row;
  call.n_rows = std::min(cut.rows, call.n_rows - row);
  call.q += row * call.q_stride;
  call.out += row * call.out_stride;
  return call;
}

void run_item(const Pass& pass, const AttendCall& whole, const AttendRun& run, const Cuts::Cut& cut,
              int item, int index) {
  const AttentionShape& shape = whole.shape;
  const Place place(cut, item);
  const AttendCall call = part_of(whole, cut, place);
  const AttentionKernels& attention = pass.attention();
  const PromptAttention* prompt = pass.prompt_attention();
  if (cut.n_splits == 1)
    return (run.role == Role::prompt && prompt ? prompt->attend : attention.attend)(call);
  const int64_t floats = attention.state_floats(shape);
  const int64_t stride = int64_t{run.n_rows} * shape.n_heads * floats;
  float* states = pass.attend_states + run.first_state * shape.n_heads * floats;
  const int group = shape.n_heads / shape.n_kv_heads;
  attention.attend_split(
      call, splits_of(shape.window, run.position, run.n_rows).first + place.split,
      states + place.split * stride + int64_t{place.head} * run.n_rows * group * floats);
  std::atomic<int>& n_done = pass.attend_done[index];
  if (n_done.fetch_add(1, std::memory_order_acq_rel) + 1 < cut.n_items()) return;
  n_done.store(0, std::memory_order_relaxed);  // for the next layer
  attention.join_splits(whole, cut.n_splits, states, stride);
}

}  // namespace

int64_t count_items(const Pass& pass, const AttendStep& step) {
  return Cuts(pass, pass.program.layers[step.layer]).count();
}

void run(const Pass& pass, const Worker& worker, const AttendStep& step, Items& items) {
  const Cuts cuts(pass, pass.program.layers[step.layer]);
  int64_t first = 0;  // item of run `index`
  int index = 0;
  for (;;) {
    const Range taken = items.take(1);
    if (taken.empty()) return;
    if (taken.first < first) first = index = 0;  // taken from another's stretch
    int n_items;
    while (taken.first >= first + (n_items = cuts.cut(pass.attend_runs[index]).n_items())) {
      first += n_items;
      ++index;
    }
    const AttendRun& run = pass.attend_runs[index];
    const Cuts::Cut cut = cuts.cut(run);
    const int item = static_cast<int>(taken.first - first);
    if (pass.program.exact())  // never in splits
      pass.kernels.exact.attention.attend(
          part_of(call_of<double>(pass, worker, step, run), cut, Place(cut, item)));
    else
      run_item(pass, call_of<float>(pass, worker, step, run), run, cut, item, index);
  }
}

int64_t attend_scratch_bytes(const Program& program, const Kernels& kernels) {
  const AttentionKernels* attention = cache_kernels(kernels, program.numerics, program.kv);
  const auto scratch_bytes =
      attention ? attention->scratch_bytes : kernels.exact.attention.scratch_bytes;
  const PromptAttention* prompt = prompt_kernels(kernels, program.numerics, program.kv);
  int64_t bytes = 0;
  for (const AttentionShape& shape : program.layers) {
    const int rows = attention_rows(shape);
    bytes = std::max(
        {bytes, scratch_bytes(shape, rows, 1), scratch_bytes(shape, kShortRun, shape.n_kv_heads)});
    if (prompt)
      bytes = std::max({bytes, prompt->scratch_bytes(shape, rows, 1),
                        prompt->scratch_bytes(shape, kShortRun, shape.n_kv_heads)});
  }
  return bytes;
}

int64_t most_attend_states(int max_rows, int n_pages) {
  return int64_t{kShortRun} * n_pages * kPageTokens / kSplitTokens + 2 * max_rows;
}

// In the group where a run sees most.
static int most_splits(std::span<const CacheGroup> groups, int position, int n_rows) {
  int most = 0;
  for (const CacheGroup& group : groups) {
    const Splits splits = splits_of(group.window, position, n_rows);
    most = std::max(most, splits.last - splits.first + 1);
  }
  return most;
}

void plan_attention(const Batch& batch, std::span<const CacheGroup> groups,
                    const SplitRoles& may_split, int64_t most_states,
                    std::vector<AttendRun>& runs) {
  runs.clear();
  int64_t n_states = 0;
  for (const Chunk& chunk : batch.chunks) {
    const int n_prompt = chunk.n_rows - chunk.n_used;
    for (const Role role : {Role::prompt, Role::used}) {
      const int from = role == Role::prompt ? 0 : n_prompt;
      const int n_rows = role == Role::prompt ? n_prompt : chunk.n_used;
      if (n_rows == 0) continue;
      AttendRun run = {
          chunk.first_row + from, n_rows, chunk.position + from, role, chunk.pages, -1};
      const int64_t n_splits = most_splits(groups, run.position, n_rows);
      if (may_split[role] && n_rows <= kShortRun && n_splits > 1 &&
          n_states + n_rows * n_splits <= most_states) {
        run.first_state = n_states;
        n_states += n_rows * n_splits;
      }
      runs.push_back(run);
    }
  }
}

}  // namespace quern::cpu
