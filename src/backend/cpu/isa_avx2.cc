// AVX2, FMA and F16C: x86 since 2013.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Avx2>();
constexpr ProbeKernels kProbe = probe_kernels<Avx2>();
}  // namespace

constexpr RowKernels kAvx2Rows = row_kernels<Avx2>();
constexpr AttentionKernels kAvx2Attention[kKvKinds] = {
    FastAttention<Avx2, Bf16Kv<Avx2>>::kernels(), FastAttention<Avx2, F16Kv<Avx2>>::kernels(),
    FastAttention<Avx2, Int8Kv<Avx2>>::kernels(), FastAttention<Avx2, Int4Kv<Avx2>>::kernels()};
constexpr AttentionKernels kAvx2ExactAttention = ExactAttention<Avx2>::kernels();

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = {
    .isa = "avx2",
    .supported = [](const CpuFeatures& f) { return f.avx2 && f.fma && f.f16c; },
    .linear = kLinear,
    .rows = kAvx2Rows,
    .probe = kProbe,
    .exact_attention = kAvx2ExactAttention,
    .attention = {&kAvx2Attention[0], &kAvx2Attention[1], &kAvx2Attention[2], &kAvx2Attention[3]},
};

}  // namespace quern::cpu
