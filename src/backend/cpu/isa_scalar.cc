// Plain C++: the specification, and what other processors run.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/scalar.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Scalar>();
constexpr RowKernels kRows = row_kernels<Scalar>();
constexpr ProbeKernels kProbe = probe_kernels<Scalar>();
constexpr AttentionKernels kFastAttention = FastAttention<Scalar>::kernels();
constexpr AttentionKernels kExactAttention = ExactAttention<Scalar>::kernels();
}  // namespace

extern const Kernels kScalarKernels;
constinit const Kernels kScalarKernels = {
    .isa = "scalar",
    .supported = [](const CpuFeatures&) { return true; },
    .linear = kLinear,
    .rows = kRows,
    .probe = kProbe,
    .fast_attention = kFastAttention,
    .exact_attention = kExactAttention,
};

}  // namespace quern::cpu
