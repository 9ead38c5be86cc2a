// AVX2 with VNNI. All but integer products is as in avx2.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avxvnni.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<AvxVnni>();
constexpr ProbeKernels kProbe = probe_kernels<AvxVnni>();
}  // namespace

extern const Kernels kAvxVnniKernels;
constinit const Kernels kAvxVnniKernels = {
    .isa = "avxvnni",
    .supported = [](const CpuFeatures& f) { return f.avx2 && f.fma && f.f16c && f.avxvnni; },
    .linear = kLinear,
    .rows = kAvx2Rows,
    .probe = kProbe,
    .exact_attention = kAvx2ExactAttention,
    .attention = {&kAvx2Attention[0], &kAvx2Attention[1], &kAvx2Attention[2], &kAvx2Attention[3]},
};

}  // namespace quern::cpu
