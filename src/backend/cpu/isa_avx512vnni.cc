// AVX-512 with VNNI: Intel since 2019, AMD since Zen 4.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

constexpr LinearKernels kAvx512VnniLinear = linear_kernels<Avx512Vnni>();
constexpr RowKernels kAvx512VnniRows = row_kernels<Avx512Vnni>();
constexpr ProbeKernels kAvx512VnniProbe = probe_kernels<Avx512Vnni>();
constexpr AttentionKernels kAvx512VnniAttention[kKvKinds] = {
    FastAttention<Avx512Vnni, Bf16Kv<Avx512Vnni>>::kernels(),
    FastAttention<Avx512Vnni, F16Kv<Avx512Vnni>>::kernels(),
    FastAttention<Avx512Vnni, Int8Kv<Avx512Vnni>>::kernels(),
    FastAttention<Avx512Vnni, Int4Kv<Avx512Vnni>>::kernels()};
constexpr AttentionKernels kAvx512VnniExactAttention = ExactAttention<Avx512Vnni>::kernels();

extern const Kernels kAvx512VnniKernels;
constinit const Kernels kAvx512VnniKernels = {
    .isa = "avx512vnni",
    .supported =
        [](const CpuFeatures& f) {
          return f.avx2 && f.fma && f.f16c && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq &&
                 f.avx512vnni;
        },
    .linear = kAvx512VnniLinear,
    .rows = kAvx512VnniRows,
    .probe = kAvx512VnniProbe,
    .exact_attention = kAvx512VnniExactAttention,
    .attention = {&kAvx512VnniAttention[0], &kAvx512VnniAttention[1], &kAvx512VnniAttention[2],
                  &kAvx512VnniAttention[3]},
};

}  // namespace quern::cpu
