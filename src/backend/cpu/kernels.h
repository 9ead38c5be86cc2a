// The kernels of one instruction set, chosen once at start.
#pragma once
#include <span>
#include <string_view>

#include "backend/cpu/attention.h"
#include "backend/cpu/exact.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/probe.h"
#include "backend/cpu/rows.h"
#include "base/cpu_features.h"
#include "quern/numerics.h"

namespace quern::cpu {

inline constexpr int kKvKinds = 4;

struct Kernels {
  std::string_view isa;  // "scalar", "avx2", "avx512vnni", ...
  bool (*supported)(const CpuFeatures& features);
  // Whether it is faster here than the earlier ones; null: always.
  bool (*worthwhile)(const CpuFeatures& features) = nullptr;
  // References, so that sets can share tables and no code of theirs runs before main, where it
  // might meet a processor that lacks the set.
  const LinearKernels& linear;
  const RowKernels& rows;
  const ProbeKernels& probe;
  const ExactKernels& exact;
  const AttentionKernels* attention[kKvKinds];  // bf16, f16, int8, int4
  // Of rows of prompts over the bf16 cache; null: as other rows.
  const PromptAttention* prompt_attention = nullptr;
  // Products of rows of prompts; null: as other rows.
  const Bf16Kernels* bf16_linear = nullptr;
};

// Over the cache of this kind (not automatic); null: numerics are exact, with an f64 cache.
const AttentionKernels* cache_kernels(const Kernels& kernels, Numerics numerics, KvKind kind);
// For rows of Role::prompt, where there is a faster way; null: as other rows. Not used for fine
// numerics: its weights are a little coarser.
const PromptAttention* prompt_kernels(const Kernels& kernels, Numerics numerics, KvKind kind);

// Every ISA compiled into this build, slowest first; the first is the scalar specification.
std::span<const Kernels* const> all_kernels();
// The best one that runs here.
const Kernels& best_kernels(const CpuFeatures& features);
// By name; null if not compiled in or not supported here.
const Kernels* find_kernels(std::string_view isa, const CpuFeatures& features);

}  // namespace quern::cpu
