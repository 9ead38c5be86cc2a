// NEON with the dot product of signed bytes. Everything but integer products is neon's.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/dotprod.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<NeonDotprod>();
constexpr ProbeKernels kProbe =
    probe_kernels<NeonDotprod>({probe_int8_dots<NeonDotprod>, "sdot"}, "fmla");
}  // namespace

extern const Kernels kNeonDotprodKernels;
constinit const Kernels kNeonDotprodKernels = kernels_of(
    "dotprod", [](const CpuFeatures& f) { return f.neon && f.dotprod; }, kLinear, kProbe,
    kNeonFloats);

}  // namespace quern::cpu
