// The compiler's order, top to bottom. Each step can be dumped (--dump NAME); the graph is verified
// after each.
#include <algorithm>
#include <string>
#include <utility>

#include "base/cpu_list.h"
#include "base/same_name.h"
#include "compile/compilation.h"
#include "models/family.h"

namespace quern {
namespace {

constexpr CompileStep kSteps[] = {
    {"bind", "every weight the graph names, found and of the right shape", bind},
    {"fuse", "q/k/v and gate/up into one product; residual into the product before it", fuse},
    {"choose", "how each product is computed; quantized rows where it reads them", choose},
    {"pack", "each weight into the panels its kernel reads, straight from the file", pack},
    {"plan", "values to buffers by lifetime, reused, in place where nobody else looks", plan},
    {"emit", "the flat list of steps that a pass executes", emit},
};

constexpr int64_t kMostCacheTokens = int64_t{1} << 30;

Result<const cpu::Kernels*> pick_kernels(const CompileOptions& options) {
  const CpuFeatures features = detect_cpu_features();
  if (options.isa.empty()) return &cpu::best_kernels(features);
  if (const cpu::Kernels* kernels = cpu::find_kernels(options.isa, features)) return kernels;
  std::string known;
  for (const cpu::Kernels* kernels : cpu::all_kernels())
    if (kernels->supported(features))
      known += (known.empty() ? "" : ", ") + std::string(kernels->isa);
  return Error{Code::unsupported, "no kernels for instruction set '" + options.isa + "' here", "",
               "this machine runs: " + known};
}

Result<> check_options(const CompileOptions& o) {
  if (o.max_rows < 1 || o.max_rows > 1 << 20)
    return Error{Code::invalid_argument, std::to_string(o.max_rows) + " rows in one pass", "",
                 "choose 1 to 1048576"};
  if (o.cache_sequences < 1 || o.cache_tokens < 1 ||
      o.cache_tokens > kMostCacheTokens / o.cache_sequences)
    return Error{Code::invalid_argument,
                 "a cache of " + std::to_string(o.cache_tokens) + " tokens for " +
                     std::to_string(o.cache_sequences) + " sequences",
                 "", "choose 1 to " + std::to_string(kMostCacheTokens) + " tokens together"};
  if (o.threads < 0 || o.threads > ThreadPool::kMaxThreads)
    return Error{
        Code::invalid_argument, std::to_string(o.threads) + " threads", "",
        "choose 1 to " + std::to_string(ThreadPool::kMaxThreads) + ", or 0 for one per core"};
  const auto names_it = [&](const CompileStep& step) { return same_name(step.name, o.dump); };
  if (!o.dump.empty() && !same_name(o.dump, "all") && std::ranges::none_of(kSteps, names_it)) {
    std::string known;
    for (const CompileStep& step : kSteps) known += std::string(step.name) + ", ";
    return Error{Code::invalid_argument, "no compile step '" + o.dump + "'", "",
                 "steps: " + known + "all"};
  }
  return Ok{};
}

void dump(const Compilation& c, std::string_view step) {
  const bool wanted = same_name(c.options.dump, step) || same_name(c.options.dump, "all");
  if (wanted && c.options.dump_out)
    c.options.dump_out(step, step == "emit" ? cpu::print(c.program) : print(c.graph));
}

}  // namespace

std::span<const CompileStep> compile_steps() { return kSteps; }

std::vector<std::vector<NodeId>> users(const Graph& graph) {
  std::vector<std::vector<NodeId>> found(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (NodeId input : graph.nodes[i].inputs) found[input].push_back(static_cast<NodeId>(i));
  return found;
}

Result<std::shared_ptr<ThreadPool>> start_pool(const CompileOptions& options) {
  TRY_OK(check_options(options));
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
                                          const Config& config, const CompileOptions& options) {
  TRY_OK(check_options(options));
  TRY(const cpu::Kernels* kernels, pick_kernels(options));
  TRY(Graph graph, build_graph(*source, config));
  std::shared_ptr<ThreadPool> pool = options.pool;
  if (!pool) {
    TRY(pool, start_pool(options));
  }
  Compilation c = {.source = *source,
                   .options = options,
                   .kernels = *kernels,
                   .pool = *pool,
                   .config = config,
                   .graph = std::move(graph)};
  for (const CompileStep& step : kSteps) {
    TRY_OK(step.run(c));
    TRY_OK(verify(c.graph));
    dump(c, step.name);
  }
  return cpu::make_executor(
      std::move(c.program), *kernels, std::move(pool),
      {.n_pages = cpu::pages_of_cache(options.cache_tokens, options.cache_sequences),
       .owner = source,
       .profile = options.profile});
}

}  // namespace quern
