// Causal grouped-query attention over paged keys and values.
//
// A page holds 64 tokens of one layer; per kv head K and V together, all kv heads of a page
// adjacent. Keys and values are written at append in the layout the dot products read. A row's bits
// depend on its query, its position and the cached tokens alone: not on rows per call, tiles,
// chunking, threads, or whatever stands behind its position (finite values).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern::cpu {

inline constexpr int kPageTokens = 64;

struct AttentionShape {
  int n_heads, n_kv_heads, head_dim;
  float scale;        // of q * k
  int window = 0;     // tokens a row sees, itself included; 0: all
  float softcap = 0;  // scores become softcap * tanh(score / softcap); 0: none
};

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

// Rows [0, n_rows) of one sequence at positions position + row, for the query heads of kv head
// `kv_head`. q, out: (n_rows, stride) with head h at h * head_dim. The pages cover position +
// n_rows tokens, all appended. The work is about n_rows * group * tokens seen; a chunk is best cut
// into (kv head, attention_rows(shape) rows) items. scratch: scratch_bytes(shape, n_rows) of the
// calling thread, aligned to 64.
using Attend = void (*)(const AttentionShape& shape, const LayerCache& cache,
                        std::span<const int32_t> pages, int position, const float* q,
                        int64_t q_stride, int n_rows, int kv_head, float* out, int64_t out_stride,
                        std::byte* scratch);

// Two instances per ISA: bf16 cache (fast) and f32 cache in plain order (exact). Pure functions,
// any number of threads.
struct AttentionKernels {
  int64_t (*page_bytes)(const AttentionShape& shape);  // a multiple of 64
  // Writes one token's keys and values (n_kv_heads, head_dim), rope applied, at `slot` (0..63) of a
  // page.
  void (*append)(const AttentionShape& shape, const float* k, const float* v, std::byte* page,
                 int slot);
  Attend attend;
  int64_t (*scratch_bytes)(const AttentionShape& shape, int n_rows);
};

// Another way to attend over the bf16 cache, with numerics of its own: for rows whose role is
// Role::prompt, where an ISA has it.
struct PromptAttention {
  Attend attend;
  int64_t (*scratch_bytes)(const AttentionShape& shape, int n_rows);
};

}  // namespace quern::cpu
