// From a model file to something that runs: the one way in, for files and (later) packages alike.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/cpu/tuning.h"
#include "backend/executor.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "compile/packed_file.h"
#include "formats/weight_source.h"
#include "models/config.h"

namespace quern {

struct CompileOptions {
  int threads = 0;  // 0: one per core this process may use
  // Passes run on it, so that executors of which one works at a time share their threads. Null: of
  // its own, by `threads` and `pin`, which count for nothing else.
  std::shared_ptr<ThreadPool> pool;
  Numerics numerics = Numerics::automatic;
  KvKind kv = KvKind::automatic;
  int max_rows = 512;  // rows of one forward pass
  // The key/value cache holds `cache_sequences` sequences of `cache_tokens` tokens each, at least;
  // memory is taken when first written.
  int64_t cache_tokens = 8192;
  int cache_sequences = 1;
  std::string pin = "none";  // where threads stay: none, cores or a list of CPUs (pin_cpus)
  std::string isa;           // empty: the best one here
  // How products are cut, by name; the program points into it, and adds what it lacks. Null: as
  // usual.
  std::shared_ptr<cpu::TuningTable> tuning;
  std::function<void(double done, std::string_view what)> progress;
  // Called after every pass with the times of its steps; empty: none are taken.
  std::function<void(const PassProfile&)> profile;
  // Where weights packed by earlier loads may lie (compile/packed_cache.h); empty: none are looked
  // for. What is there and cannot be used is said to `note`.
  std::string packed_folder;
  std::function<void(const std::string&)> note;
  // Called when weights were packed that could be kept there, with the seconds that it took. The
  // contents view memory of the executor.
  std::function<void(PackedContents contents, double seconds)> packed;
  // After the step of this name its result is written to `dump_out` as text; empty: nothing. "all":
  // every step.
  std::string dump;
  std::function<void(std::string_view step, std::string_view text)> dump_out;
};

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
