// NEON: every 64-bit ARM processor.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Neon>();
constexpr ProbeKernels kProbe = probe_kernels<Neon>();
}  // namespace

constexpr FloatKernels kNeonFloats = float_kernels<Neon>();

extern const Kernels kNeonKernels;
constinit const Kernels kNeonKernels = kernels_of(
    "neon", [](const CpuFeatures& f) { return f.neon; }, kLinear, kProbe, kNeonFloats);

}  // namespace quern::cpu
