// Fills the tables of one instruction set with the kernels over its vocabulary V. Included by the
// isa_*.cc files alone.
#pragma once
#include "backend/cpu/attention_exact.h"
#include "backend/cpu/attention_fast.h"
#include "backend/cpu/decode_panel.h"
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
  return {quantize_row<V>, multiply_quantized<V>, multiply_float<V>, multiply_exact<V>};
}

template <class V>
constexpr RowKernels row_kernels() {
  return {rms_norm<V>, swiglu<V>, relu2glu<V>, scale<V>, round_int8<V>, add<V>, rope<V>};
}

template <class V>
constexpr ProbeKernels probe_kernels() {
  return {probe_int8_dots<V>, probe_f32_fmas<V>, probe_read<V, true>, probe_read<V, false>};
}

// Tables that other instruction sets share.
extern const RowKernels kAvx2Rows;
extern const AttentionKernels kAvx2ExactAttention;
extern const AttentionKernels kAvx2Attention[kKvKinds];
extern const RowKernels kNeonRows;
extern const AttentionKernels kNeonExactAttention;
extern const AttentionKernels kNeonAttention[kKvKinds];
extern const LinearKernels kAvx512VnniLinear;
extern const RowKernels kAvx512VnniRows;
extern const ProbeKernels kAvx512VnniProbe;
extern const AttentionKernels kAvx512VnniExactAttention;
extern const AttentionKernels kAvx512VnniAttention[kKvKinds];

}  // namespace quern::cpu
