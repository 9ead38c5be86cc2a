// NEON with the dot product of unsigned by signed bytes. All but integer products is as in neon.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/i8mm.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<NeonI8mm>();
constexpr ProbeKernels kProbe = probe_kernels<NeonI8mm>();
}  // namespace

extern const Kernels kNeonI8mmKernels;
constinit const Kernels kNeonI8mmKernels = {
    .isa = "i8mm",
    .supported = [](const CpuFeatures& f) { return f.neon && f.i8mm; },
    .linear = kLinear,
    .rows = kNeonRows,
    .probe = kProbe,
    .exact_attention = kNeonExactAttention,
    .attention = {&kNeonAttention[0], &kNeonAttention[1], &kNeonAttention[2], &kNeonAttention[3]},
};

}  // namespace quern::cpu
