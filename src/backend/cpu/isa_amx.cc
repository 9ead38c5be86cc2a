// AVX-512 with VNNI and tiles (AMX, int8 and bf16): Intel's servers since 2023. What tiles do not
// speed up is as in avx512vnni: the vector bf16 dot product is slow on these processors.
#include "backend/cpu/kernel_table.h"

namespace quern::cpu {

extern const Kernels kAmxKernels;
constinit const Kernels kAmxKernels = {
    .isa = "amx",
    .supported =
        [](const CpuFeatures& f) {
          return f.avx2 && f.fma && f.f16c && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq &&
                 f.avx512vnni && f.avx512bf16 && f.amx_tile && f.amx_int8 && f.amx_bf16;
        },
    .linear = kAvx512VnniLinear,
    .rows = kAvx512VnniRows,
    .probe = kAvx512VnniProbe,
    .fast_attention = kAvx512VnniFastAttention,
    .exact_attention = kAvx512VnniExactAttention,
};

}  // namespace quern::cpu
