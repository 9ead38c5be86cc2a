// Plain C++: the specification, and what other processors run.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/scalar.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Scalar>();
constexpr RowKernels kRows = row_kernels<Scalar>();
constexpr ProbeKernels kProbe = probe_kernels<Scalar>();
constexpr AttentionKernels kAttention[kKvKinds] = {
    FastAttention<Scalar, Bf16Kv<Scalar>>::kernels(),
    FastAttention<Scalar, F16Kv<Scalar>>::kernels(),
    FastAttention<Scalar, Int8Kv<Scalar>>::kernels(),
    FastAttention<Scalar, Int4Kv<Scalar>>::kernels()};
constexpr AttentionKernels kExactAttention = ExactAttention<Scalar>::kernels();
}  // namespace

extern const Kernels kScalarKernels;
constinit const Kernels kScalarKernels = {
    .isa = "scalar",
    .supported = [](const CpuFeatures&) { return true; },
    .linear = kLinear,
    .rows = kRows,
    .probe = kProbe,
    .exact_attention = kExactAttention,
    .attention = {&kAttention[0], &kAttention[1], &kAttention[2], &kAttention[3]},
};

}  // namespace quern::cpu
