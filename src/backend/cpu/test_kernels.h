// The sets of kernels that a test tries.
#pragma once
#include <vector>

#include "backend/cpu/kernels.h"

namespace quern::cpu::testing_support {

// The specification: every other set must give its bits.
inline const Kernels& scalar() { return *all_kernels().front(); }

inline std::vector<const Kernels*> supported_kernels() {
  const CpuFeatures features = detect_cpu_features();
  std::vector<const Kernels*> list;
  for (const Kernels* kernels : all_kernels()) {
    if (kernels->supported(features)) list.push_back(kernels);
  }
  return list;
}

// All that run here. On an emulated processor only its best set is tested: each of the lesser ones
// has another emulated processor, and runs natively.
inline std::vector<const Kernels*> tested_kernels(bool emulated) {
  if (emulated) return {&best_kernels(detect_cpu_features())};
  return supported_kernels();
}

}  // namespace quern::cpu::testing_support
