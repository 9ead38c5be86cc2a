// AVX2, FMA and F16C: x86 since 2013.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Avx2>();
constexpr ProbeKernels kProbe = probe_kernels<Avx2>();
}  // namespace

constexpr FloatKernels kAvx2Floats = float_kernels<Avx2>();

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = kernels_of(
    "avx2", [](const CpuFeatures& f) { return has_avx2(f); }, kLinear, kProbe, kAvx2Floats);

}  // namespace quern::cpu
