#include "base/thread_place.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#endif

namespace quern {

#if defined(__linux__)
namespace {

int my_id() {
  thread_local const int id = static_cast<int>(syscall(SYS_gettid));
  return id;
}

// The time a thread has run so far; current while it runs. The clock's number is how Linux names it
// (pthread_getcpuclockid gives the same).
int64_t run_ns(int thread) {
  constexpr int kPerThread = 4, kScheduled = 2;
  timespec time{};
  const auto clock =
      static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | kPerThread | kScheduled);
  if (clock_gettime(clock, &time) != 0) return -1;
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

cpu_set_t only(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return set;
}

}  // namespace

void ThreadPlace::settle() {
  thread_.store(my_id(), std::memory_order_relaxed);
  if (state_.load(std::memory_order_relaxed) == State::home)
    cpu_.store(sched_getcpu(), std::memory_order_relaxed);
}

// Two looks at its clock; a call of the system lies between them, so that a running thread's has
// moved on.
bool ThreadPlace::is_running() const {
  const int thread = thread_.load(std::memory_order_relaxed);
  const int64_t before = run_ns(thread);
  return before < 0 || run_ns(thread) != before;
}

void ThreadPlace::fetch_here() {
  State home = State::home;
  if (!state_.compare_exchange_strong(home, State::moving)) return;
  const int thread = thread_.load(std::memory_order_relaxed), here = sched_getcpu();
  const cpu_set_t one = only(here < 0 ? 0 : here);
  const bool moved = here >= 0 && sched_getaffinity(thread, sizeof allowed_, &allowed_) == 0 &&
                     sched_setaffinity(thread, sizeof one, &one) == 0;
  state_.store(moved ? State::away : State::home, std::memory_order_release);
}

// The system moves a thread only where it must: so first to the old processor alone.
void ThreadPlace::go_home() {
  if (!is_away()) return;
  const int cpu = cpu_.load(std::memory_order_relaxed);
  if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed_)) {
    const cpu_set_t one = only(cpu);
    sched_setaffinity(0, sizeof one, &one);
  }
  sched_setaffinity(0, sizeof allowed_, &allowed_);
  state_.store(State::home, std::memory_order_release);
}

void pin_to(int index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0) return;
  int left = index % CPU_COUNT(&allowed), cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || left-- > 0) ++cpu;
  const cpu_set_t one = only(cpu);
  sched_setaffinity(0, sizeof one, &one);
}

#else

void ThreadPlace::settle() {}
bool ThreadPlace::is_running() const { return true; }
void ThreadPlace::fetch_here() {}
void ThreadPlace::go_home() {}
void pin_to(int) {}

#endif

}  // namespace quern
