// AVX2, FMA and F16C: x86 since 2013.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = {
    .isa = "avx2",
    .supported = [](const CpuFeatures& f) { return f.avx2 && f.fma && f.f16c; },
    .linear = linear_kernels<Avx2>(),
    .rows = row_kernels<Avx2>(),
    .probe = probe_kernels<Avx2>(),
    .fast_attention = FastAttention<Avx2>::kernels(),
    .exact_attention = ExactAttention<Avx2>::kernels(),
};

}  // namespace quern::cpu
