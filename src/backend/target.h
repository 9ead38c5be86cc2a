// The one interface between what all targets share (src/compile) and a kind of machine that models
// run on: a folder src/backend/NAME and a row in src/compile/targets.cc.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bound_weights.h"
#include "backend/compile_options.h"
#include "backend/executor.h"
#include "backend/limits.h"
#include "backend/tuning.h"
#include "base/result.h"
#include "graph/graph.h"

namespace quern {

// One step of the compiler, for people: `--dump NAME` prints what it makes.
struct StepInfo {
  std::string_view name, what;
};

// A set of kernels that is compiled into this build.
struct InstructionSet {
  std::string_view name;
  bool runs_here = false;
};

// Stateless, thread-safe, and there as long as the program.
class Target {
 public:
  virtual ~Target() = default;
  virtual std::string_view name() const = 0;

  // What there is to compute with, slowest first; the first runs everywhere and is what the others
  // are tested against.
  virtual std::vector<InstructionSet> instruction_sets() const = 0;
  // The one to compute with; wanted: empty for the best here. Errors: unsupported, with those that
  // run here.
  virtual Result<std::string_view> instruction_set(std::string_view wanted) const = 0;
  // Of n_threads threads; isa as above. Errors: as instruction_set(), out_of_memory, and those of
  // ThreadPool::start.
  virtual Result<std::unique_ptr<LimitsProbe>> probe(int n_threads, std::string_view isa) const = 0;

  // What a tuner may try; records of another kernel version count for nothing.
  virtual std::span<const TuningParameter> tuning_parameters() const = 0;
  virtual int kernel_version() const = 0;

  // Products of one input may stand side by side as one if each but the last has a multiple of so
  // many outputs.
  virtual int side_by_side() const = 0;

  // The steps of lower(), in their order.
  virtual std::span<const StepInfo> steps() const = 0;
  // From a graph that is verified to something that runs. options: checked, with a pool. Errors:
  // unsupported (option, with what there is), invalid_argument, out_of_memory.
  virtual Result<std::unique_ptr<Executor>> lower(Graph graph, const BoundWeights& weights,
                                                  const CompileOptions& options) const = 0;
};

// Whether `--dump` asks for this step, and somebody listens.
bool wants_dump(const CompileOptions& options, std::string_view step);
// The defaults of all parameters.
Tuning usual_tuning(const Target& target);

}  // namespace quern
