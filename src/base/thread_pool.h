// A persistent team of threads that runs one function at a time, with a cheap barrier inside.
//
// Made for one parallel region per forward pass: run() costs about a microsecond while the workers
// are still awake, barrier() a quarter of one. Waiting threads spin for some hundred microseconds,
// then sleep, so an idle program uses no CPU and an oversubscribed machine still makes progress.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace quern {

// A counter that threads wait on until it moves.
class alignas(64) Signal {
 public:
  uint32_t now() const { return count_.load(std::memory_order_acquire); }
  // Returns once the counter is no longer `seen`; what came before advance() is visible then.
  void wait(uint32_t seen) const;
  void advance();

 private:
  std::atomic<uint32_t> count_{0};
};

class ThreadPool {
 public:
  // n_threads counts the caller of run(), so n_threads - 1 threads are started. pin: worker i stays
  // on the i-th CPU this process may use; the caller's thread is left alone.
  // Errors: invalid_argument (n_threads outside 1..kMaxThreads), unavailable (no more threads).
  static Result<std::unique_ptr<ThreadPool>> start(int n_threads, bool pin = false);
  ~ThreadPool();  // not while run() is under way
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;
  int n_threads() const { return n_threads_; }

  // Calls fn(thread, n_threads) once on every thread, the caller as thread 0, and returns when all
  // have returned. One region at a time, none inside another. fn must not throw.
  template <class F>
  void run(F&& fn) {
    using Fn = std::remove_reference_t<F>;
    run_task({[](void* f, int thread, int n) { (*static_cast<Fn*>(f))(thread, n); },
              const_cast<void*>(static_cast<const void*>(&fn))});
  }

  // Inside fn: returns once every thread of the team has come here; what they wrote before is
  // visible after. All threads must call it equally often.
  void barrier();

 private:
  struct Task {
    void (*call)(void* fn, int thread, int n_threads) = nullptr;
    void* fn = nullptr;
  };

  explicit ThreadPool(int n_threads) : n_threads_(n_threads) {}
  void run_task(Task task);
  void work(int thread);

  const int n_threads_;
  Task task_;          // written before begin_ advances
  bool stop_ = false;  // likewise
  std::atomic<bool> running_{false};
  Signal begin_;                             // a region begins, or the pool ends
  Signal passed_;                            // a barrier was passed by all
  alignas(64) std::atomic<int> arrived_{0};  // threads waiting at the barrier
  std::vector<std::thread> workers_;
};

}  // namespace quern
