// From a model file to something that runs: the one way in, for files and (later) packages alike.
#pragma once
#include <memory>

#include "backend/compile_options.h"
#include "backend/executor.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/weight_source.h"
#include "models/config.h"

namespace quern {

// The pool that compile() makes where none is given. Errors: as ThreadPool::start; invalid_argument
// (the list of CPUs).
Result<std::shared_ptr<ThreadPool>> start_pool(const CompileOptions& options);

// The source stays alive as long as the executor. Errors: unsupported (architecture, tensor type,
// option, with what there is), corrupt (missing tensor, wrong shape: named), out_of_memory.
Result<std::unique_ptr<Executor>> compile(std::shared_ptr<const WeightSource> source,
                                          const CompileOptions& options);
// The same for whoever has read the source's configuration (models/config.h) already.
Result<std::unique_ptr<Executor>> compile(std::shared_ptr<const WeightSource> source,
                                          const Config& config, const CompileOptions& options);

}  // namespace quern
