#include "backend/cpu/kernels.h"

#include "base/enum_table.h"
#include "base/same_name.h"

namespace quern::cpu {

extern const Kernels kScalarKernels;
#if QUERN_X86
extern const Kernels kAvx2Kernels, kAvxVnniKernels;
extern const Kernels kAvx512VnniKernels, kAvx512Bf16Kernels, kAmxKernels;
#elif QUERN_ARM64
extern const Kernels kNeonKernels, kNeonDotprodKernels, kNeonI8mmKernels;
#elif QUERN_WASM
extern const Kernels kWasm128Kernels;
#endif

namespace {

constexpr const Kernels* kAll[] = {
    &kScalarKernels,
#if QUERN_X86
    &kAvx2Kernels,   &kAvxVnniKernels, &kAvx512VnniKernels, &kAvx512Bf16Kernels, &kAmxKernels,
#elif QUERN_ARM64
    &kNeonKernels,
    &kNeonDotprodKernels,
    &kNeonI8mmKernels,
#elif QUERN_WASM
    &kWasm128Kernels,
#endif
};

}  // namespace

std::span<const Kernels* const> all_kernels() { return kAll; }

const Kernels& best_kernels(const CpuFeatures& features) {
  const Kernels* best = kAll[0];
  for (const Kernels* kernels : kAll) {
    if (!kernels->supported(features)) continue;
    if (!kernels->worthwhile || kernels->worthwhile(features)) best = kernels;
  }
  return *best;
}

const AttentionKernels* cache_kernels(const Kernels& kernels, Numerics numerics, KvKind kind) {
  static_assert(enum_size<KvKind>() == kKvKinds + 1 && static_cast<int>(KvKind::bf16) == 1 &&
                static_cast<int>(KvKind::f16) == 2 && static_cast<int>(KvKind::int8) == 3 &&
                static_cast<int>(KvKind::int4) == 4);
  if (numerics == Numerics::exact) return nullptr;
  return kernels.attention[static_cast<int>(kind) - static_cast<int>(KvKind::bf16)];
}

const PromptAttention* prompt_kernels(const Kernels& kernels, Numerics numerics, KvKind kind) {
  const bool coarse = numerics == Numerics::automatic || numerics == Numerics::fast;
  return coarse && kind == KvKind::bf16 ? kernels.prompt_attention : nullptr;
}

const Kernels* find_kernels(std::string_view isa, const CpuFeatures& features) {
  for (const Kernels* kernels : kAll) {
    if (same_name(kernels->isa, isa) && kernels->supported(features)) return kernels;
  }
  return nullptr;
}

}  // namespace quern::cpu
