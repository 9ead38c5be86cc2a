// How a model is compiled and run: what the caller asks of the compiler and of the target.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/executor.h"
#include "backend/packed_file.h"
#include "backend/tuning.h"
#include "base/thread_pool.h"
#include "quern/numerics.h"

namespace quern {

inline constexpr int64_t kMaxCacheTokens = int64_t{1} << 30;

struct CompileOptions {
  std::string target;  // by name (compile/targets.h); empty: the first
  int threads = 0;     // 0: one per core this process may use
  // Passes run on it, so that executors of which one works at a time share their threads. Null: of
  // its own, by `threads` and `pin`, which count for nothing else.
  std::shared_ptr<ThreadPool> pool;
  Numerics numerics = Numerics::automatic;
  KvKind kv = KvKind::automatic;
  int max_rows = 512;  // rows of one forward pass
  // The key/value cache holds `cache_sequences` sequences of `cache_tokens` tokens each, at least;
  // memory is taken when first written. At most kMaxCacheTokens together.
  int64_t cache_tokens = 8192;
  int cache_sequences = 1;
  std::string pin = "none";  // where threads stay: none, cores or a list of CPUs (pin_cpus)
  std::string isa;           // the target's instruction set; empty: the best one here
  // How products are cut, by name; the executor reads it, and adds what it lacks. Null: as usual.
  std::shared_ptr<TuningTable> tuning;
  std::function<void(double done, std::string_view what)> progress;
  // Called after every pass with the times of its steps; empty: none are taken.
  std::function<void(const PassProfile&)> profile;
  // Where weights packed by earlier loads may lie (backend/packed_cache.h); empty: none are looked
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

}  // namespace quern
