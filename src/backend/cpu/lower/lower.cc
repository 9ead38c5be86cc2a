// The order in which a graph becomes a program; the graph is verified after each step.
#include <utility>

#include "backend/cpu/lower/lowering.h"

namespace quern::cpu {
namespace {

std::string graph_text(const Lowering& c) { return print(c.graph); }
std::string program_text(const Lowering& c) {
  return print(c.program, c.program_weights.text(), c.options.tuning.get());
}

constexpr LoweringStep kSteps[] = {
    {{"choose", "how each product is computed; quantized rows where it reads them"},
     choose,
     graph_text},
    {{"pack", "each weight into the panels its kernel reads, straight from the file"},
     pack,
     graph_text},
    {{"emit", "the flat list of steps that a pass executes, every value in memory of its own"},
     emit,
     program_text},
    {{"plan",
      "values to buffers by what the steps read and write; in place where nobody else looks"},
     plan,
     program_text},
};

}  // namespace

std::span<const LoweringStep> lowering_steps() { return kSteps; }

Result<Lowered> lower(Graph graph, const BoundWeights& weights, const CompileOptions& options,
                      const Kernels& kernels) {
  Lowering c = {.weights = weights,
                .options = options,
                .kernels = kernels,
                .pool = *options.pool,
                .graph = std::move(graph)};
  c.program_weights.source = weights.source;
  for (const LoweringStep& step : kSteps) {
    TRY_OK(step.run(c));
    TRY_OK(verify(c.graph));
    if (wants_dump(options, step.info.name)) options.dump_out(step.info.name, step.text(c));
  }
  return Lowered{std::move(c.program), std::move(c.program_weights)};
}

}  // namespace quern::cpu
