// Where one thread of a pool runs: whether it was preempted by another process, and moving it to
// the processor of a waiting thread. Linux; elsewhere threads never count as preempted and are
// never moved.
//
// Why: a thread that is preempted in the middle of a piece of work makes the whole pool wait for
// milliseconds, while the processors of the waiting threads are idle. Moved to one of them it ends
// its piece at once, then returns to its own processor (its home).
#pragma once
#include <atomic>
#include <cstdint>
#include <span>
#if defined(__linux__)
#include <sched.h>
#endif

namespace quern {

class alignas(64) ThreadPlace {
 public:
  ThreadPlace() = default;
  ~ThreadPlace();
  ThreadPlace(const ThreadPlace&) = delete;
  ThreadPlace& operator=(const ThreadPlace&) = delete;

  // By the thread itself, before others ask: from now on this is about the calling thread, at home
  // on the processor it is on.
  void settle();
  int cpu() const { return cpu_.load(std::memory_order_relaxed); }  // home; -1: not known
  // By the thread itself: moves to a processor that is none of these, if it may run on one; its
  // affinity mask stays as it was.
  void move_off(std::span<const int> taken);
  // By others, one at a time, while that thread lives: whether it was preempted since the last
  // call, by the count in /proc; the first call about a thread returns false. It may be running
  // again by now: the system does not say (on Linux 6.18 its CPU clock, read by others, advances
  // only at the scheduler's tick). Takes four microseconds.
  bool was_interrupted();
  // By others: moves the thread to the caller's processor; no effect if it was moved already. The
  // caller should then sleep.
  void fetch_here();
  // By the thread itself: whether it was moved; and back, with its former affinity mask.
  bool is_away() const { return state_.load(std::memory_order_acquire) == State::away; }
  void go_home();

 private:
  enum class State : uint8_t { home, moving, away };
  std::atomic<State> state_{State::home};
  std::atomic<int> thread_{0}, cpu_{-1};
  int asked_ = 0, file_ = -1;  // of was_interrupted: about which thread, and its status file
  std::atomic<int64_t> n_interruptions_{-1};  // that are known of; -1: not read yet
#if defined(__linux__)
  cpu_set_t allowed_;  // where it may run; of state away
#endif
};

int thread_id();  // of the calling thread, in the system's numbers; 0 where it has none

// Keeps the calling thread on this processor; silently not where that is impossible, since it is
// only a hint.
void pin_to(int cpu);

}  // namespace quern
