// Plain C++: the specification, and the fallback on other processors.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/scalar.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Scalar>();
constexpr ProbeKernels kProbe = probe_kernels<Scalar>({probe_int8_dots<Scalar>, "C++"}, "C++");
constexpr FloatKernels kFloats = float_kernels<Scalar>();
}  // namespace

extern const Kernels kScalarKernels;
constinit const Kernels kScalarKernels = kernels_of(
    "scalar", [](const CpuFeatures& f) { return true; }, kLinear, kProbe, kFloats);

}  // namespace quern::cpu
