// NEON with the dot product of signed bytes. All but integer products is as in neon.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/dotprod.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<NeonDotprod>();
constexpr ProbeKernels kProbe = probe_kernels<NeonDotprod>();
}  // namespace

extern const Kernels kNeonDotprodKernels;
constinit const Kernels kNeonDotprodKernels = {
    .isa = "dotprod",
    .supported = [](const CpuFeatures& f) { return f.neon && f.dotprod; },
    .linear = kLinear,
    .rows = kNeonRows,
    .probe = kProbe,
    .exact_attention = kNeonExactAttention,
    .attention = {&kNeonAttention[0], &kNeonAttention[1], &kNeonAttention[2], &kNeonAttention[3]},
};

}  // namespace quern::cpu
