// AVX-512 with VNNI and tiles (AMX, int8 and bf16): Intel's servers since 2023. What tiles do not
// speed up is as in avx512vnni: the vector bf16 dot product is slow on these processors.
#include "backend/cpu/attention_amx.h"
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/linear_amx.h"
#include "backend/cpu/probe_amx.h"

namespace quern::cpu {

namespace {

// Shapes that tiles do not fit are computed as rows of any role.
void attend_prompt(const AttentionShape& shape, const LayerCache& cache,
                   std::span<const int32_t> pages, int position, const float* q, int64_t q_stride,
                   int n_rows, int kv_head, float* out, int64_t out_stride, std::byte* scratch) {
  const Attend attend =
      TileAttention::fits(shape) ? TileAttention::attend : kAvx512VnniFastAttention.attend;
  attend(shape, cache, pages, position, q, q_stride, n_rows, kv_head, out, out_stride, scratch);
}
int64_t prompt_scratch_bytes(const AttentionShape& shape, int n_rows) {
  return TileAttention::fits(shape) ? TileAttention::scratch_bytes(shape, n_rows)
                                    : kAvx512VnniFastAttention.scratch_bytes(shape, n_rows);
}
constexpr PromptAttention kPromptAttention = {attend_prompt, prompt_scratch_bytes};
constexpr ProbeKernels with_tiles(ProbeKernels probe) {
  probe.bf16_dots = probe_tile_products;
  return probe;
}
constexpr ProbeKernels kProbe = with_tiles(probe_kernels<Avx512Vnni>());
constexpr Bf16Kernels kBf16Linear = {TileLinear::round_row, TileLinear::multiply,
                                     TileLinear::scratch_bytes};

}  // namespace

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
    .probe = kProbe,
    .fast_attention = kAvx512VnniFastAttention,
    .exact_attention = kAvx512VnniExactAttention,
    .prompt_attention = &kPromptAttention,
    .bf16_linear = &kBf16Linear,
};

}  // namespace quern::cpu
