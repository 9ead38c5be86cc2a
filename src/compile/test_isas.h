// The instruction sets that a test of whole models tries.
#pragma once
#include <string>
#include <vector>

#include "compile/targets.h"

namespace quern::testing {

// All that run here. An emulated processor stands for one set, its best: the lesser ones have
// processors of their own there, and run here natively.
inline std::vector<std::string> tested_isas(bool emulated) {
  const Target& target = default_target();
  if (emulated) return {std::string(*target.instruction_set(""))};
  std::vector<std::string> names;
  for (const InstructionSet& set : target.instruction_sets())
    if (set.runs_here) names.emplace_back(set.name);
  return names;
}

}  // namespace quern::testing
