// Fills the tables of one instruction set with the kernels over its vocabulary V. Included by the
// isa_*.cc files alone.
#pragma once
#include "backend/cpu/attention_fast.h"
#include "backend/cpu/exact_attention.h"
#include "backend/cpu/exact_product.h"
#include "backend/cpu/exact_rows.h"
#include "backend/cpu/float_kernel.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/kv_bf16.h"
#include "backend/cpu/kv_f16.h"
#include "backend/cpu/kv_int4.h"
#include "backend/cpu/kv_int8.h"
#include "backend/cpu/probe_kernel.h"
#include "backend/cpu/quantize_kernel.h"
#include "backend/cpu/quantized_kernel.h"
#include "backend/cpu/rows_kernel.h"

namespace quern::cpu {

template <class V>
constexpr LinearKernels linear_kernels() {
  return {quantize_row<V>, multiply_quantized<V>, multiply_float<V>};
}

template <class V>
constexpr ProbeKernels probe_kernels(OperationProbe int8, const char* fma) {
  return {.int8 = int8,
          .f32 = {probe_f32_fmas<V>, fma},
          .reads = {{probe_read<V, Ahead::nothing, 1>, "plain loads"},
                    {probe_read<V, Ahead::once, 1>, "loads and prefetches that pass the caches"},
                    {probe_read<V, Ahead::near, 1>, "loads and prefetches"},
                    {probe_read<V, Ahead::nothing, 4>, "loads from four places"}}};
}

// The kernels that do not depend on the dot product of bytes: sets that differ in it alone share
// them.
struct FloatKernels {
  RowKernels rows;
  ExactKernels exact;
  AttentionKernels attention[kKvKinds];
};

template <class V>
constexpr FloatKernels float_kernels() {
  return {
      {rms_norm<V>, swiglu<V>, relu2glu<V>, scale<V>, round_int8<V>, add<V>, rope<V>},
      {exact_row_kernels<V>(), multiply_exact<V>, ExactAttention<V>::kernels()},
      {FastAttention<V, Bf16Kv<V>>::kernels(), FastAttention<V, F16Kv<V>>::kernels(),
       FastAttention<V, Int8Kv<V>>::kernels(), FastAttention<V, Int4Kv<V>>::kernels()},
  };
}

// Of tables that live as long as the program.
constexpr Kernels kernels_of(std::string_view isa, bool (*supported)(const CpuFeatures&),
                             const LinearKernels& linear, const ProbeKernels& probe,
                             const FloatKernels& floats) {
  return {
      .isa = isa,
      .supported = supported,
      .linear = linear,
      .rows = floats.rows,
      .probe = probe,
      .exact = floats.exact,
      .attention = {&floats.attention[0], &floats.attention[1], &floats.attention[2],
                    &floats.attention[3]},
  };
}

QUERN_SIMD bool has_avx2(const CpuFeatures& f) { return f.avx2 && f.fma && f.f16c; }
QUERN_SIMD bool has_avx512vnni(const CpuFeatures& f) {
  return has_avx2(f) && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq && f.avx512vnni;
}

// Tables that other instruction sets share.
extern const FloatKernels kAvx2Floats, kAvx512VnniFloats, kNeonFloats;
extern const LinearKernels kAvx512VnniLinear;

// A kernel of kAvx512VnniLinear: another file's table is no constant, a call of what is in it is.
// V: a vocabulary of the calling file, whose instance it is.
template <class V, auto kKernel>
struct FromVnni;
template <class V, class... Args, void (*LinearKernels::*kKernel)(Args...)>
struct FromVnni<V, kKernel> {
  static void call(Args... args) { (kAvx512VnniLinear.*kKernel)(args...); }
};
template <class V>
constexpr LinearKernels vnni_linear_but(decltype(LinearKernels::multiply_quantized) multiply) {
  return {FromVnni<V, &LinearKernels::quantize_row>::call, multiply,
          FromVnni<V, &LinearKernels::multiply_float>::call};
}

// Small-M products with ternary weights, in a file compiled for AVX-512 VBMI, whose look-up of 64
// bytes is one instruction; false: not such a product.
template <class V>
bool multiply_small_m_ternary(const QuantizedRows& rows, int64_t first_panel, int64_t last_panel) {
  if (rows.w->layout != Layout::ternary || rows.n_records > small_m_records<V>(*rows.w))
    return false;
  for (int64_t p = first_panel; p < last_panel; ++p)
    small_m_product_of<V, Layout::ternary, kGroup, ScaleKind::one>(rows, p);
  return true;
}

}  // namespace quern::cpu
