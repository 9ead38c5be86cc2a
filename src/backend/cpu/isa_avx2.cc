// AVX2, FMA and F16C: x86 since 2013.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Avx2>();
constexpr RowKernels kRows = row_kernels<Avx2>();
constexpr ProbeKernels kProbe = probe_kernels<Avx2>();
constexpr AttentionKernels kFastAttention = FastAttention<Avx2>::kernels();
constexpr AttentionKernels kExactAttention = ExactAttention<Avx2>::kernels();
}  // namespace

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = {
    .isa = "avx2",
    .supported = [](const CpuFeatures& f) { return f.avx2 && f.fma && f.f16c; },
    .linear = kLinear,
    .rows = kRows,
    .probe = kProbe,
    .fast_attention = kFastAttention,
    .exact_attention = kExactAttention,
};

}  // namespace quern::cpu
