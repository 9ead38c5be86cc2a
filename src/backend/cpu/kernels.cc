#include "backend/cpu/kernels.h"

namespace quern::cpu {

extern const Kernels kScalarKernels;
#if QUERN_X86
extern const Kernels kAvx2Kernels, kAvxVnniKernels;
extern const Kernels kAvx512VnniKernels, kAvx512Bf16Kernels, kAmxKernels;
#endif

namespace {

constexpr const Kernels* kAll[] = {
    &kScalarKernels,
#if QUERN_X86
    &kAvx2Kernels,   &kAvxVnniKernels, &kAvx512VnniKernels, &kAvx512Bf16Kernels, &kAmxKernels,
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

const Kernels* find_kernels(std::string_view isa, const CpuFeatures& features) {
  for (const Kernels* kernels : kAll) {
    if (kernels->isa == isa && kernels->supported(features)) return kernels;
  }
  return nullptr;
}

}  // namespace quern::cpu
