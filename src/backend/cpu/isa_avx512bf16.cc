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

constexpr Kernels with_bf16(Kernels kernels) {
  // AMD runs the bf16 dot product at the rate of fma, with twice its work. Intel's processors
  // with tiles run it so slowly that f32 fma overtakes it (attention on Sapphire Rapids, one
  // core: 68 against 85 GFLOP/s; bench_attention).
  kernels.worthwhile = [](const CpuFeatures& f) { return !f.amx_bf16; };
  kernels.attention[0] = &kFastAttention;
  return kernels;
}
}  // namespace

extern const Kernels kAvx512Bf16Kernels;
constinit const Kernels kAvx512Bf16Kernels = with_bf16(kernels_of(
    "avx512bf16", [](const CpuFeatures& f) { return has_avx512vnni(f) && f.avx512bf16; },
    kAvx512VnniLinear, kProbe, kAvx512VnniFloats));

}  // namespace quern::cpu
