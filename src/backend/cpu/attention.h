// Causal grouped-query attention over paged keys and values.
//
// A page holds 64 tokens of one layer; per kv head K and V together, all kv heads of a page
// adjacent. Keys and values are written at append in the layout the dot products read. A row's bits
// depend on its query, its position and the cached tokens alone: not on rows or heads per call,
// tiles, chunking, threads, or whatever stands behind its position (finite values).
//
// Long contexts are taken in splits: sums start anew at every multiple of kSplitTokens and are
// joined in ascending order. So splits may be computed by several threads, or in turn by one, with
// the same bits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern::cpu {

inline constexpr int kPageTokens = 64;
inline constexpr int kSplitTokens = 512;
inline constexpr int kMaxDims = 1024;  // of a head, for kinds of cache that rotate them

struct AttentionShape {
  int n_heads, n_kv_heads, head_dim;
  double scale;       // of q * k
  int window = 0;     // tokens a row sees, itself included; 0: all
  float softcap = 0;  // scores become softcap * tanh(score / softcap); 0: none
  int value_dim = 0;  // of values and outputs, as head_dim of queries and keys; 0: head_dim
};
static inline int value_dim_of(const AttentionShape& shape) {
  return shape.value_dim > 0 ? shape.value_dim : shape.head_dim;
}

// The cache of one layer, as the executor lends it.
struct LayerCache {
  std::byte*
      base;  // page p stands at base + p * stride; aligned to 64; zeroed when first handed out
  int64_t stride;  // at least page_bytes(shape)
};

// Rows (tokens) one call of attend should get: enough to fill its tiles, few enough that its state
// stays in the L2 cache and the rows of a prompt spread over the threads. More are taken in turns.
static inline int attention_rows(const AttentionShape& shape) {
  const int most = 256 / (shape.n_heads / shape.n_kv_heads);
  int rows = 4;
  while (rows < 128 && 2 * rows <= most) rows *= 2;
  return rows;
}

// Rows [0, n_rows) of one sequence at positions position + row, for the query heads of the kv heads
// [kv_head, kv_head + n_kv_heads). T: of the rows, double on the exact path.
template <class T>
struct AttendCallOf {
  const AttentionShape& shape;
  LayerCache cache;
  // They cover position + n_rows tokens, all appended; those that the first row's window has left
  // behind may be -1.
  std::span<const int32_t> pages;
  int position, n_rows, kv_head, n_kv_heads;
  const T* q;  // (n_rows, q_stride) with head h at h * head_dim
  int64_t q_stride;
  T* out;  // likewise, (n_rows, out_stride) with head h at h * value_dim
  int64_t out_stride;
  // Of the calling thread: scratch_bytes(shape, n_rows, n_kv_heads), aligned to 64.
  std::byte* scratch;
};
using AttendCall = AttendCallOf<float>;

// First and last split that any of these rows sees.
struct Splits {
  int first, last;
};
static inline Splits splits_of(int window, int position, int n_rows) {
  const int seen = window > 0 && position >= window ? position - window + 1 : 0;
  return {seen / kSplitTokens, (position + n_rows - 1) / kSplitTokens};
}

// One instance per ISA and kind of cache. Pure functions, any number of threads.
struct AttentionKernels {
  int64_t (*page_bytes)(const AttentionShape& shape);  // a multiple of 64
  // Writes one token's keys (n_kv_heads, head_dim), rope applied, and values (.., value_dim) at
  // `slot` (0..63) of a page.
  void (*append)(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
                 int slot);
  // The work is about n_rows * group * tokens seen; a prompt is best cut into (kv head,
  // attention_rows(shape) rows) items, single rows into ranges of heads.
  void (*attend)(const AttendCall& call);
  int64_t (*scratch_bytes)(const AttentionShape& shape, int n_rows, int n_kv_heads);

  // The same in parts. attend_split leaves the sums of one split in
  // `states`, (n_kv_heads, n_rows * group) of state_floats(shape) each, aligned to 64; at most
  // attention_rows(shape) rows. join_splits writes `out` from those of all splits in order, for the
  // same call, and changes them; stride: floats from one split's states to the next one's.
  void (*attend_split)(const AttendCall& call, int split, float* states);
  void (*join_splits)(const AttendCall& call, int n_splits, float* states, int64_t stride);
  int64_t (*state_floats)(const AttentionShape& shape);
};

// Another way to attend over the same cache, with numerics of its own: for rows whose role is
// Role::prompt, where an ISA has it.
struct PromptAttention {
  void (*attend)(const AttendCall& call);
  int64_t (*scratch_bytes)(const AttentionShape& shape, int n_rows, int n_kv_heads);
};

}  // namespace quern::cpu
