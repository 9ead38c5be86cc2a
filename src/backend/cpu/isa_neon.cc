// NEON: every 64-bit ARM processor.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/probe_neon.h"
#include "backend/cpu/simd/neon.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Neon>();
constexpr ProbeKernels with_int4(ProbeKernels probe) {
  probe.int4 = {probe_neon_dots<Neon, 16>, "smull, 15 x smlal, sadalp"};
  return probe;
}
constexpr ProbeKernels kProbe =
    with_int4(probe_kernels<Neon>({probe_neon_dots<Neon, 2>, "smull, smlal, sadalp"}, "fmla"));
}  // namespace

constexpr FloatKernels kNeonFloats = float_kernels<Neon>();

extern const Kernels kNeonKernels;
constinit const Kernels kNeonKernels = kernels_of(
    "neon", [](const CpuFeatures& f) { return f.neon; }, kLinear, kProbe, kNeonFloats);

}  // namespace quern::cpu
