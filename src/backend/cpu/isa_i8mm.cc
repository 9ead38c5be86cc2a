// NEON with the dot product of unsigned by signed bytes. Everything but integer products is neon's.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/probe_neon.h"
#include "backend/cpu/simd/i8mm.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<NeonI8mm>();
constexpr ProbeKernels kProbe = probe_kernels<NeonI8mm>({probe_usmmla, "usmmla"}, "fmla");
}  // namespace

extern const Kernels kNeonI8mmKernels;
constinit const Kernels kNeonI8mmKernels = kernels_of(
    "i8mm", [](const CpuFeatures& f) { return f.neon && f.i8mm; }, kLinear, kProbe, kNeonFloats);

}  // namespace quern::cpu
