// AVX-512 with VNNI: Intel since 2019, AMD since Zen 4.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

constexpr LinearKernels kAvx512VnniLinear = linear_kernels<Avx512Vnni>();
constexpr RowKernels kAvx512VnniRows = row_kernels<Avx512Vnni>();
constexpr ProbeKernels kAvx512VnniProbe = probe_kernels<Avx512Vnni>();
constexpr AttentionKernels kAvx512VnniFastAttention = FastAttention<Avx512Vnni>::kernels();
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
    .fast_attention = kAvx512VnniFastAttention,
    .exact_attention = kAvx512VnniExactAttention,
};

}  // namespace quern::cpu
