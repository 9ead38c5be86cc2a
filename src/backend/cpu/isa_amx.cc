// AVX-512 with VNNI and tiles (AMX, int8 and bf16): Intel's servers since 2023. What tiles do not
// speed up is as in avx512vnni: the vector bf16 dot product is slow on these processors.
#include "backend/cpu/attention_amx.h"
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/linear_amx.h"
#include "backend/cpu/probe_amx.h"
#include "backend/cpu/quantized_amx.h"

namespace quern::cpu {

namespace {

// Shapes that tiles do not fit are computed as rows of any role.
void attend_prompt(const AttendCall& call) {
  (TileAttention::fits(call.shape) ? TileAttention::attend
                                   : kAvx512VnniFloats.attention[0].attend)(call);
}
int64_t prompt_scratch_bytes(const AttentionShape& shape, int n_rows, int n_kv_heads) {
  return (TileAttention::fits(shape)
              ? TileAttention::scratch_bytes
              : kAvx512VnniFloats.attention[0].scratch_bytes)(shape, n_rows, n_kv_heads);
}
// Up to this many records the small-M kernels are faster.
constexpr int kSmallMRecords = 8;
void multiply_quantized(const PackedMatrix& w, const std::byte* records, int64_t row_stride,
                        int n_rows, int row_records, int64_t first_panel, int64_t last_panel,
                        const Epilogue& epilogue) {
  const QuantizedRows rows{
      &w, records, row_stride / row_records, row_records == 2, n_rows * row_records, epilogue};
  if (multiply_small_m_ternary<SignedBytes>(rows, first_panel, last_panel)) return;
  const int few = w.tuning->small_m_records > 0 ? w.tuning->small_m_records : kSmallMRecords;
  if (rows.n_records <= few) {
    return kAvx512VnniLinear.multiply_quantized(w, records, row_stride, n_rows, row_records,
                                                first_panel, last_panel, epilogue);
  }
  const int64_t most = TileQuantized::kMaxRecords, n_blocks = (rows.n_records + most - 1) / most;
  for (int64_t i = 0; i < n_blocks; ++i) {
    const auto at = [&](int64_t block) { return static_cast<int>(n_rows * block / n_blocks); };
    TileQuantized::multiply(rows.from(at(i) * row_records, (at(i + 1) - at(i)) * row_records),
                            first_panel, last_panel);
  }
}
constexpr LinearKernels kLinear = vnni_linear_but<SignedBytes>(multiply_quantized);
constexpr PromptAttention kPromptAttention = {attend_prompt, prompt_scratch_bytes};
constexpr ProbeKernels with_tiles(ProbeKernels probe) {
  probe.bf16 = {probe_tile_products<false>, "tdpbf16ps"};
  probe.int8_tiles = {probe_tile_products<true>, "tdpbssd"};
  return probe;
}
// A separate type: the linker could otherwise take instances compiled for this set for those of
// isa_avx512vnni.cc, on processors without it.
struct AmxProbe : Avx512Vnni {};
constexpr ProbeKernels kProbe = with_tiles(probe_kernels<AmxProbe>(
    {probe_int8_dots<AmxProbe>, "vpdpbusd of 512 bits"}, "vfmadd of 512 bits"));
constexpr Bf16Kernels kBf16Linear = {TileLinear::round_row, TileLinear::multiply<false>,
                                     TileLinear::scratch_bytes, TileLinear::take_int8_row,
                                     TileLinear::multiply<true>};

constexpr Kernels with_tiles(Kernels kernels) {
  kernels.prompt_attention = &kPromptAttention;
  kernels.bf16_linear = &kBf16Linear;
  return kernels;
}

}  // namespace

extern const Kernels kAmxKernels;
constinit const Kernels kAmxKernels = with_tiles(kernels_of(
    "amx",
    [](const CpuFeatures& f) {
      return has_avx512vnni(f) && f.avx512bf16 && f.avx512vbmi && f.amx_tile && f.amx_int8 &&
             f.amx_bf16;
    },
    kLinear, kProbe, kAvx512VnniFloats));

}  // namespace quern::cpu
