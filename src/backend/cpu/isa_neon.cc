// NEON: every 64-bit ARM processor.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Neon>();
constexpr ProbeKernels kProbe = probe_kernels<Neon>();
}  // namespace

constexpr RowKernels kNeonRows = row_kernels<Neon>();
constexpr AttentionKernels kNeonAttention[kKvKinds] = {
    FastAttention<Neon, Bf16Kv<Neon>>::kernels(), FastAttention<Neon, F16Kv<Neon>>::kernels(),
    FastAttention<Neon, Int8Kv<Neon>>::kernels(), FastAttention<Neon, Int4Kv<Neon>>::kernels()};
constexpr AttentionKernels kNeonExactAttention = ExactAttention<Neon>::kernels();

extern const Kernels kNeonKernels;
constinit const Kernels kNeonKernels = {
    .isa = "neon",
    .supported = [](const CpuFeatures& f) { return f.neon; },
    .linear = kLinear,
    .rows = kNeonRows,
    .probe = kProbe,
    .exact_attention = kNeonExactAttention,
    .attention = {&kNeonAttention[0], &kNeonAttention[1], &kNeonAttention[2], &kNeonAttention[3]},
};

}  // namespace quern::cpu
