#include "engine/shared_engine.h"

#include <utility>

#include "base/check.h"

namespace quern {

void FairLock::lock() {
  std::unique_lock lock(mutex_);
  const uint64_t mine = next_++;
  turn_.wait(lock, [&] { return serving_ == mine; });
}

void FairLock::unlock() {
  {
    const std::lock_guard lock(mutex_);
    ++serving_;
  }
  turn_.notify_all();
}

namespace {

bool deliver(const Output& output, Generation& generation,
             const std::function<bool(const Delta&)>& on_delta) {
  if (output.ids.empty() && output.text.empty()) return true;
  generation.ids.insert(generation.ids.end(), output.ids.begin(), output.ids.end());
  generation.text += output.text;
  return !on_delta || on_delta({output.text, output.ids});
}

Generation finished(Generation& generation, const Output& last, bool to_the_end) {
  generation.timings = last.timings;
  generation.timings.predicted_n = static_cast<int>(generation.ids.size());
  generation.finish = to_the_end ? *last.finish : Finish::cancelled;
  return std::move(generation);
}

}  // namespace

SharedEngine::SharedEngine(Executor& executor, EngineOptions options)
    : engine_(executor, std::move(options)) {}

Result<Generation> SharedEngine::generate(Request request,
                                          const std::function<bool(const Delta&)>& on_delta) {
  std::unique_lock lock(lock_);
  TRY(const RequestId id, engine_.submit(std::move(request)));
  Generation generation;
  for (;;) {
    Output output = engine_.take(id);
    while (output.empty()) {
      CHECK(engine_.step() > 0, "an unfinished request gets rows within a few steps");
      output = engine_.take(id);
    }
    lock.unlock();
    if (output.error) return *output.error;
    const bool go_on = deliver(output, generation, on_delta);
    if (output.finish) return finished(generation, output, go_on);
    lock.lock();
    if (go_on) continue;
    engine_.cancel(id);
    return finished(generation, engine_.take(id), false);
  }
}

Result<> SharedEngine::score(std::span<const int32_t> tokens, int chunk,
                             const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                             int64_t n_prompt) {
  const std::lock_guard lock(lock_);
  return engine_.score(tokens, chunk, on_logits, n_prompt);
}

}  // namespace quern
