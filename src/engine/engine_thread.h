// The engine on a thread of its own, for any number of callers.
#pragma once
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/reply.h"
#include "engine/seq_lock.h"

namespace quern {

// Thread-safe. Requests that overlap run as one batch. The destructor ends what still runs with
// Finish::cancelled.
class EngineThread {
 public:
  // Ends its request when it goes, unless that is over. Keeps nothing else alive: it may outlive
  // the thread, and then finds its request cancelled.
  class Ticket {
   public:
    Ticket() = default;
    ~Ticket() { drop(); }
    Ticket(Ticket&&) noexcept = default;
    Ticket& operator=(Ticket&& other) noexcept;

    std::optional<Output> take(
        std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) {
      return reply_->take(until);
    }
    std::optional<Output> try_take() { return reply_->try_take(); }
    // As Reply::on_ready. Nothing is called any more once the ticket is gone.
    void on_ready(std::function<void()> ready) { reply_->on_ready(std::move(ready)); }
    void cancel();

   private:
    void drop();

    friend class EngineThread;
    struct Inbox;
    std::shared_ptr<Reply> reply_;
    std::shared_ptr<Inbox> inbox_;
    RequestId id_ = -1;
  };

  EngineThread(Executor& executor, EngineOptions options);
  ~EngineThread();

  // One ticket for each of the request's n answers, at once: the request is checked on this thread,
  // and waits for no step. Errors: those of Engine::submit.
  Result<std::vector<Ticket>> submit(Request request);

  // Submits and reads to the end. on_delta (may be empty) is called from this thread; returning
  // false ends the request. The Generation holds what on_delta has seen, no more.
  Result<Generation> generate(Request request, const std::function<bool(const Delta&)>& on_delta);

  // Runs `work` on the engine's thread between two steps, and returns what it returns. It must not
  // wait for other requests.
  template <class F>
  auto call(F work) {
    std::packaged_task<decltype(work(std::declval<Engine&>()))(Engine&)> task(std::move(work));
    auto result = task.get_future();
    post([&task](Engine& engine) { task(engine); });
    return result.get();
  }

  int context() const { return context_; }
  // Never waits for a step. n_waiting is of now, all else as the last step left it.
  EngineCounts counts() const;

 private:
  using Work = std::function<void(Engine&)>;
  void post(Work work);
  void run();
  void deliver(Engine& engine);
  void deliver_last(Engine& engine);

  std::shared_ptr<Ticket::Inbox> inbox_;
  int context_;
  std::map<RequestId, std::shared_ptr<Reply>> replies_;  // of the engine's thread
  std::unique_ptr<Engine> engine_;                       // of the engine's thread, but for prepare
  SeqLock<EngineCounts> counts_;
  std::thread thread_;
};

}  // namespace quern
