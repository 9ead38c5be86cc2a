#include "backend/cpu/target.h"

#include <string>
#include <utility>

#include "backend/cpu/executor.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/limits.h"
#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/tuning.h"

namespace quern::cpu {
namespace {

Result<const Kernels*> pick_kernels(std::string_view isa) {
  const CpuFeatures features = detect_cpu_features();
  if (isa.empty()) return &best_kernels(features);
  if (const Kernels* kernels = find_kernels(isa, features)) return kernels;
  std::string known;
  for (const Kernels* kernels : all_kernels())
    if (kernels->supported(features))
      known += (known.empty() ? "" : ", ") + std::string(kernels->isa);
  return Error{Code::unsupported, "no kernels for instruction set '" + std::string(isa) + "' here",
               "", "this machine runs: " + known};
}

class CpuTarget final : public Target {
 public:
  CpuTarget() {
    for (const ProductParameter& parameter : kProductParameters)
      parameters_.push_back({.name = parameter.name,
                             .usual = kDefaultTuning.*parameter.member,
                             .values = {parameter.values, parameter.values + parameter.n_values},
                             .n_rows = parameter.n_rows});
    for (const LoweringStep& step : lowering_steps()) steps_.push_back(step.info);
  }

  std::string_view name() const override { return "cpu"; }

  std::vector<InstructionSet> instruction_sets() const override {
    const CpuFeatures features = detect_cpu_features();
    std::vector<InstructionSet> sets;
    for (const Kernels* kernels : all_kernels())
      sets.push_back({kernels->isa, kernels->supported(features)});
    return sets;
  }
  Result<std::string_view> instruction_set(std::string_view wanted) const override {
    TRY(const Kernels* kernels, pick_kernels(wanted));
    return kernels->isa;
  }
  Result<std::unique_ptr<LimitsProbe>> probe(int n_threads, std::string_view isa) const override {
    TRY(const Kernels* kernels, pick_kernels(isa));
    TRY(auto probe, Probe::start(n_threads, kernels));
    return std::unique_ptr<LimitsProbe>(std::move(probe));
  }

  std::span<const TuningParameter> tuning_parameters() const override { return parameters_; }
  int kernel_version() const override { return kKernelVersion; }
  int side_by_side() const override { return kPanelRows; }
  std::span<const StepInfo> steps() const override { return steps_; }

  Result<std::unique_ptr<Executor>> lower(Graph graph, const BoundWeights& weights,
                                          const CompileOptions& options) const override {
    TRY(const Kernels* kernels, pick_kernels(options.isa));
    TRY(Lowered lowered, cpu::lower(std::move(graph), weights, options, *kernels));
    return make_executor(std::move(lowered.program), std::move(lowered.weights), *kernels,
                         options.pool,
                         {.cache = {options.cache_tokens, options.cache_sequences},
                          .tuning = options.tuning,
                          .profile = options.profile});
  }

 private:
  std::vector<TuningParameter> parameters_;
  std::vector<StepInfo> steps_;
};

}  // namespace

const Target& target() {
  static const CpuTarget kTarget;
  return kTarget;
}

}  // namespace quern::cpu
