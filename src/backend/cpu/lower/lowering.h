// What the steps from a graph to a program for the CPU hand to each other, and the table of them.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/program_weights.h"
#include "backend/target.h"
#include "graph/graph.h"

namespace quern::cpu {

struct Lowering {
  const BoundWeights& weights;
  const CompileOptions& options;
  const Kernels& kernels;
  ThreadPool& pool;
  Graph graph;

  std::vector<ProductKind> products;  // choose: per node, of linears
  // choose: per node; of a linear one per part, of a quantize the one that it writes.
  std::vector<std::vector<RowForms>> forms;
  std::unordered_map<std::string, int64_t> packed_at;  // pack: where in the packed weights
  Program program;
  ProgramWeights program_weights;
};

Result<> choose(Lowering&);
Result<> pack(Lowering&);
Result<> emit(Lowering&);
Result<> plan(Lowering&);

// What plan does, to any program whose values are buffers of their own: max_rows is set.
void plan_memory(Program& program);

struct LoweringStep {
  StepInfo info;
  Result<> (*run)(Lowering&);
  std::string (*text)(const Lowering&);  // for --dump
};
std::span<const LoweringStep> lowering_steps();

// Runs them all. options: as of Target::lower.
struct Lowered {
  Program program;
  ProgramWeights weights;
};
Result<Lowered> lower(Graph graph, const BoundWeights& weights, const CompileOptions& options,
                      const Kernels& kernels);

}  // namespace quern::cpu
