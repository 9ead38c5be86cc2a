// Plain C++: the specification, and what other processors run.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/scalar.h"

namespace quern::cpu {

extern const Kernels kScalarKernels;
const Kernels kScalarKernels = {
    .isa = "scalar",
    .supported = [](const CpuFeatures&) { return true; },
    .linear = linear_kernels<Scalar>(),
    .rows = row_kernels<Scalar>(),
    .probe = probe_kernels<Scalar>(),
    .fast_attention = FastAttention<Scalar>::kernels(),
    .exact_attention = ExactAttention<Scalar>::kernels(),
};

}  // namespace quern::cpu
