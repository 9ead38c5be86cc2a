// The exact path: the reference for all others. Weights are the f32 that their format decodes to;
// all else is f64, from the embedding to the logits, the cache included: activations, products,
// sums, angles. f32 would lose digits where large numbers cancel (docs/performance.md has the
// figures).
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/cpu/attention.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/rows.h"

namespace quern::cpu {

// Over a cache of its own, f64; as AttentionKernels.
struct ExactAttentionKernels {
  int64_t (*page_bytes)(const AttentionShape& shape);
  void (*append)(const AttentionShape& shape, const double* k, const double* v, std::byte* page,
                 int slot);
  void (*attend)(const AttendCallOf<double>& call);
  int64_t (*scratch_bytes)(const AttentionShape& shape, int n_rows, int n_kv_heads);
};

// One table per ISA; pure functions, any number of threads. All give the same bits.
struct ExactKernels {
  RowKernelsOf<double> rows;
  // Panels [first, last) of the product of n_rows rows, x_stride numbers apart, with a matrix of
  // any format: panels are decoded to f32 into `scratch` (exact_scratch_bytes(n_in) per thread).
  // An output is one chain of f64 fma over ascending inputs.
  void (*multiply)(const QuantMatrix& w, const double* x, int64_t x_stride, int n_rows,
                   int64_t first_panel, int64_t last_panel, const EpilogueOf<double>& epilogue,
                   std::byte* scratch);
  ExactAttentionKernels attention;
};

}  // namespace quern::cpu
