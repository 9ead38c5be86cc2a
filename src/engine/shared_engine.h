// The engine for several threads: each caller steps until its own request is done, so calls that
// overlap run as one batch, and there is no thread of the engine's own.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "engine/engine.h"

namespace quern {

// A lock that serves in the order of asking: whoever has just stepped does not step again before
// the others have fetched what they got.
class FairLock {
 public:
  void lock();
  void unlock();

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  uint64_t next_ = 0, serving_ = 0;
};

// Thread-safe.
class SharedEngine {
 public:
  SharedEngine(Executor& executor, EngineOptions options);

  // on_delta (may be empty) is called from this thread, without the lock; returning false ends the
  // request. The Generation holds what on_delta has seen, no more.
  Result<Generation> generate(Request request, const std::function<bool(const Delta&)>& on_delta);

  // on_logits is called with the lock held: it must not use the engine.
  Result<> score(std::span<const int32_t> tokens, int chunk,
                 const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                 int64_t n_prompt = 0);

  int context() const { return engine_.context(); }

 private:
  FairLock lock_;
  Engine engine_;
};

}  // namespace quern
