// AVX-512 with VNNI, bf16 dot products and VBMI: AMD since Zen 4. Products are those of avx512vnni,
// except small-M products with ternary weights.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512bf16.h"

namespace quern::cpu {

namespace {
constexpr ProbeKernels with_bf16(ProbeKernels probe) {
  probe.bf16 = {probe_bf16_dots<Avx512Bf16>, "vdpbf16ps of 512 bits"};
  return probe;
}
constexpr ProbeKernels kProbe = with_bf16(probe_kernels<Avx512Bf16>(
    {probe_int8_dots<Avx512Bf16>, "vpdpbusd of 512 bits"}, "vfmadd of 512 bits"));
void multiply_quantized(const PackedMatrix& w, const std::byte* records, int64_t row_stride,
                        int n_rows, int row_records, int64_t first_panel, int64_t last_panel,
                        const Epilogue& epilogue) {
  const QuantizedRows rows{
      &w, records, row_stride / row_records, row_records == 2, n_rows * row_records, epilogue};
  if (multiply_small_m_ternary<Avx512Bf16>(rows, first_panel, last_panel)) return;
  kAvx512VnniLinear.multiply_quantized(w, records, row_stride, n_rows, row_records, first_panel,
                                       last_panel, epilogue);
}
constexpr LinearKernels kLinear = vnni_linear_but<Avx512Bf16>(multiply_quantized);
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
    "avx512bf16",
    [](const CpuFeatures& f) { return has_avx512vnni(f) && f.avx512bf16 && f.avx512vbmi; }, kLinear,
    kProbe, kAvx512VnniFloats));

}  // namespace quern::cpu
