// The compiler's order, top to bottom: the steps that all targets share, then the target's own.
// Each can be dumped (--dump NAME); the graph is verified after each.
#include <algorithm>
#include <string>
#include <utility>

#include "base/cpu_features.h"
#include "base/cpu_list.h"
#include "base/same_name.h"
#include "compile/compilation.h"
#include "compile/targets.h"
#include "models/family.h"

namespace quern {
namespace {

constexpr CompileStep kSteps[] = {
    {{"bind", "every weight the graph names, found and of the right shape"}, bind},
    {{"fuse", "q/k/v and gate/up into one product; residual into the product before it"}, fuse},
};

Result<> check_dump(const Target& target, const std::string& dump) {
  std::vector<std::string_view> known;
  for (const CompileStep& step : kSteps) known.push_back(step.info.name);
  for (const StepInfo& step : target.steps()) known.push_back(step.name);
  known.emplace_back("all");
  const auto is_it = [&](std::string_view name) { return same_name(name, dump); };
  if (dump.empty() || std::ranges::any_of(known, is_it)) return Ok{};
  std::string list;
  for (const std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
  return Error{Code::invalid_argument, "no compile step '" + dump + "'", "", "steps: " + list};
}

Result<> check_options(const Target& target, const CompileOptions& o) {
  if (o.max_rows < 1 || o.max_rows > 1 << 20)
    return Error{Code::invalid_argument, std::to_string(o.max_rows) + " rows in one pass", "",
                 "choose 1 to 1048576"};
  if (o.cache_sequences < 1 || o.cache_tokens < 1 ||
      o.cache_tokens > kMaxCacheTokens / o.cache_sequences)
    return Error{Code::invalid_argument,
                 "a cache of " + std::to_string(o.cache_tokens) + " tokens for " +
                     std::to_string(o.cache_sequences) + " sequences",
                 "", "choose 1 to " + std::to_string(kMaxCacheTokens) + " tokens together"};
  if (o.threads < 0 || o.threads > ThreadPool::kMaxThreads)
    return Error{
        Code::invalid_argument, std::to_string(o.threads) + " threads", "",
        "choose 1 to " + std::to_string(ThreadPool::kMaxThreads) + ", or 0 for one per core"};
  return check_dump(target, o.dump);
}

}  // namespace

std::span<const CompileStep> shared_steps() { return kSteps; }

Result<std::shared_ptr<ThreadPool>> start_pool(const CompileOptions& options) {
  TRY(const Target* target, find_target(options.target));
  TRY_OK(check_options(*target, options));
  TRY(std::vector<int> cpus, pin_cpus(options.pin));
  const int threads = options.threads ? options.threads : std::max(1, detect_cpu_features().n_cpus);
  TRY(auto pool, ThreadPool::start(threads, std::move(cpus)));
  return std::shared_ptr<ThreadPool>(std::move(pool));
}

Result<std::unique_ptr<Executor>> compile(std::shared_ptr<const WeightSource> source,
                                          const CompileOptions& options) {
  TRY(const Config config, read_config(*source));
  return compile(std::move(source), config, options);
}

Result<std::unique_ptr<Executor>> compile(std::shared_ptr<const WeightSource> source,
                                          const Config& config, const CompileOptions& asked) {
  TRY(const Target* target, find_target(asked.target));
  TRY_OK(check_options(*target, asked));
  TRY_OK(target->instruction_set(asked.isa));
  CompileOptions options = asked;
  TRY(Graph graph, build_graph(*source, config));
  if (!options.pool) {
    TRY(options.pool, start_pool(options));
  }
  Compilation c = {.target = *target, .options = options, .graph = std::move(graph), .weights = {}};
  c.weights.source = std::move(source);
  for (const CompileStep& step : kSteps) {
    TRY_OK(step.run(c));
    TRY_OK(verify(c.graph));
    if (wants_dump(options, step.info.name)) options.dump_out(step.info.name, print(c.graph));
  }
  return target->lower(std::move(c.graph), c.weights, options);
}

}  // namespace quern
