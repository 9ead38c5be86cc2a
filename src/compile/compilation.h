// What the compiler's steps hand to each other, and the table of steps itself.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/cpu/executor.h"
#include "compile/compile.h"
#include "models/config.h"

namespace quern {

// A weight matrix the graph uses, found in the file, of the shape the graph needs.
struct BoundWeight {
  QuantMatrix matrix;
  const Format* format = nullptr;
};

struct Compilation {
  const WeightSource& source;
  const CompileOptions& options;
  const cpu::Kernels& kernels;
  ThreadPool& pool;
  Config config;
  Graph graph;

  std::unordered_map<std::string, BoundWeight> weights;  // bind
  std::vector<cpu::ProductKind> products;                // choose: per node, of linears
  // choose: per node; of a linear one per part, of a quantize the one that it writes.
  std::vector<std::vector<cpu::RowForms>> forms;
  std::unordered_map<std::string, cpu::PackedMatrix> packed;  // pack
  std::unordered_map<std::string, const float*>
      vectors;                   // bind: norm weights, biases, rope factors
  std::vector<cpu::View> views;  // plan: per node, where its value stands
  cpu::Program program;
};

Result<> bind(Compilation&);
Result<> fuse(Compilation&);
Result<> choose(Compilation&);
Result<> pack(Compilation&);
Result<> plan(Compilation&);
Result<> emit(Compilation&);

struct CompileStep {
  std::string_view name, what;
  Result<> (*run)(Compilation&);
};
std::span<const CompileStep> compile_steps();

// Which node of the graph reads each value, in order.
std::vector<std::vector<NodeId>> users(const Graph& graph);

}  // namespace quern
