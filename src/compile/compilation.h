// What the compiler's steps hand to each other, and the table of those that all targets share.
#pragma once
#include <memory>
#include <span>

#include "backend/target.h"
#include "compile/compile.h"

namespace quern {

struct Compilation {
  const Target& target;
  const CompileOptions& options;
  Graph graph;
  BoundWeights weights;  // its source from the start; bind finds the rest
};

Result<> bind(Compilation&);
Result<> fuse(Compilation&);

struct CompileStep {
  StepInfo info;
  Result<> (*run)(Compilation&);
};
std::span<const CompileStep> shared_steps();

}  // namespace quern
