// A persistent pool of threads that runs parallel regions: sequences of turns, each some pieces of
// work.
//
// Made for one region per forward pass, a turn per step: the next turn begins when all pieces of
// this one are done, which costs a quarter of a microsecond while the threads are awake. Pieces are
// counted, not threads: a preempted thread delays the turn only if it holds a piece, and then it is
// moved to the processor of a waiting thread (thread_place.h). So a busy neighbour costs its share
// of time and no more. Waiting threads spin for a tenth of a millisecond, then sleep.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/signal_word.h"
#include "base/thread_place.h"
#include "base/threads.h"

namespace quern {

class ThreadPool {
 public:
  // n_threads counts the caller of run(), so n_threads - 1 threads are started. cpus: thread i
  // stays on the i-th of them (modulo their number), the caller's thread too, from its first region
  // on; silently not where that is impossible. Empty: the system decides. Errors: invalid_argument
  // (n_threads outside 1..kMaxThreads), unavailable (no more threads, or
  // none on this system but the caller's).
  static Result<std::unique_ptr<ThreadPool>> start(int n_threads, std::vector<int> cpus = {});
  ~ThreadPool();  // not while a region is under way
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;
  int n_threads() const { return n_threads_; }

  // Calls fn(thread, n_threads) once on every thread, the caller as thread 0, and returns when all
  // have returned. One region at a time, none inside another. fn must not throw.
  template <class F>
  void run(F&& fn) {
    run_turns(
        1, [&](int) { return int64_t{n_threads_}; },
        [&](int thread, int) {
          fn(thread, n_threads_);
          return int64_t{1};
        });
  }

  // Turns 0 .. n_turns - 1 in order, turn t of n_pieces(t) >= 0 pieces. work(thread, turn) takes
  // pieces until there are none to take and returns how many it has done; it is called at most once
  // per thread and turn, and not at all on threads that arrive too late. What was written in a turn
  // is visible in the next ones. Same rules as run(); both functions may be called by every thread.
  template <class Count, class Work>
  void run_turns(int n_turns, Count&& n_pieces, Work&& work) {
    struct Both {
      std::remove_reference_t<Count>& n_pieces;
      std::remove_reference_t<Work>& work;
    } both{n_pieces, work};
    run_region({[](void* f, int turn) { return int64_t{static_cast<Both*>(f)->n_pieces(turn)}; },
                [](void* f, int thread, int turn) {
                  return int64_t{static_cast<Both*>(f)->work(thread, turn)};
                },
                &both, n_turns});
  }

 private:
  struct Region {
    int64_t (*n_pieces)(void* fn, int turn) = nullptr;
    int64_t (*work)(void* fn, int thread, int turn) = nullptr;
    void* fn = nullptr;
    int n_turns = 0;
    uint32_t first = 0;  // word of turn 0
  };
  struct alignas(64) Member {
    std::atomic<bool> inside{false};  // the region may not end; it may have a piece in hand
    ThreadPlace place;
    std::vector<int> taken;  // processors of the others; room for all, as passes do not allocate
  };

  ThreadPool(int n_threads, std::vector<int> cpus)
      : n_threads_(n_threads), cpus_(std::move(cpus)), members_(new Member[n_threads]) {
    for (int i = 0; i < n_threads; ++i) members_[i].taken.reserve(n_threads);
  }
  Result<> start_workers();
  void pin(int thread) const;
  void run_region(Region region);
  void work(int thread);
  bool enter(int thread, uint32_t& now);
  void leave(int thread);
  uint32_t take_turns(int thread, uint32_t now);
  bool begin_turn(int turn);
  void wait(int thread, uint32_t seen);
  void keep_apart(int thread);
  void look_after(int thread, uint32_t seen);
  bool fetch_stopped(int thread, uint32_t seen);

  const int n_threads_;
  const std::vector<int> cpus_;
  int pinned_caller_ = -1;
  std::unique_ptr<Member[]> members_;
  Region region_;  // written before the word says that it is open, while nobody is inside
  std::atomic<bool> stop_{false}, running_{false};
  std::atomic<bool> watched_{false};   // somebody looks after those who work
  std::atomic<bool> fetching_{false};  // and is at it
  SignalWord word_;                    // odd: a region is open, first + 2 * turn; even: none is
  alignas(64) std::atomic<int64_t> n_done_{0};  // pieces of the turn
  std::vector<Thread> workers_;
};

}  // namespace quern
