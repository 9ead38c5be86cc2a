// AVX-512 with VNNI: Intel since 2019, AMD since Zen 4.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

extern const Kernels kAvx512VnniKernels;
const Kernels kAvx512VnniKernels = {
    .isa = "avx512vnni",
    .supported =
        [](const CpuFeatures& f) {
          return f.avx2 && f.fma && f.f16c && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq &&
                 f.avx512vnni;
        },
    .linear = linear_kernels<Avx512Vnni>(),
    .rows = row_kernels<Avx512Vnni>(),
    .probe = probe_kernels<Avx512Vnni>(),
    .fast_attention = FastAttention<Avx512Vnni>::kernels(),
    .exact_attention = ExactAttention<Avx512Vnni>::kernels(),
};

}  // namespace quern::cpu
