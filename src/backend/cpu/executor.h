// Runs a Program on this machine's cores.
#pragma once
#include <functional>
#include <memory>

#include "backend/cpu/kernels.h"
#include "backend/cpu/paged_cache.h"
#include "backend/cpu/program_weights.h"
#include "backend/executor.h"
#include "base/thread_pool.h"

namespace quern::cpu {

struct ExecutorOptions {
  CacheRoom cache;
  std::shared_ptr<const TuningTable> tuning;  // how products are cut; null: as usual
  std::function<void(const PassProfile&)>
      profile;  // called after every pass; empty: no times taken
};

// The pool may be that of other executors, as long as one of them works at a time. Errors:
// out_of_memory; corrupt (weights that are not the program's); unsupported (a program for
// instructions that the kernels lack).
Result<std::unique_ptr<Executor>> make_executor(Program program, ProgramWeights weights,
                                                const Kernels& kernels,
                                                std::shared_ptr<ThreadPool> pool,
                                                ExecutorOptions options);

}  // namespace quern::cpu
