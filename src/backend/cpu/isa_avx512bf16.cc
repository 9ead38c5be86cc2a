// AVX-512 with VNNI and bf16 dot products. Products are as without bf16.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512bf16.h"

namespace quern::cpu {

namespace {
constexpr ProbeKernels with_bf16(ProbeKernels probe) {
  probe.bf16_dots = probe_bf16_dots<Avx512Bf16>;
  return probe;
}
constexpr ProbeKernels kProbe = with_bf16(probe_kernels<Avx512Bf16>());
constexpr AttentionKernels kFastAttention =
    FastAttention<Avx512Bf16, Bf16Kv<Avx512Bf16>>::kernels();
}  // namespace

extern const Kernels kAvx512Bf16Kernels;
constinit const Kernels kAvx512Bf16Kernels = {
    .isa = "avx512bf16",
    .supported =
        [](const CpuFeatures& f) {
          return f.avx2 && f.fma && f.f16c && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq &&
                 f.avx512vnni && f.avx512bf16;
        },
    // AMD runs the bf16 dot product at the rate of fma, with twice its work. Intel's processors
    // with tiles run it so slowly that f32 fma overtakes it (attention on Sapphire Rapids, one
    // core: 68 against 85 GFLOP/s; bench_attention).
    .worthwhile = [](const CpuFeatures& f) { return !f.amx_bf16; },
    .linear = kAvx512VnniLinear,
    .rows = kAvx512VnniRows,
    .probe = kProbe,
    .exact_attention = kAvx512VnniExactAttention,
    .attention = {&kFastAttention, &kAvx512VnniAttention[1], &kAvx512VnniAttention[2],
                  &kAvx512VnniAttention[3]},
};

}  // namespace quern::cpu
