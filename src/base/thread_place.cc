#include "base/thread_place.h"

#if defined(__linux__)
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#endif

namespace quern {

#if defined(__linux__)
namespace {

// The last line of its status: "nonvoluntary_ctxt_switches:\t12"; -1: not readable.
int64_t interruptions(int file) {
  char text[4096];
  const ssize_t n = pread(file, text, sizeof text, 0);
  if (n <= 0) return -1;
  const std::string_view status(text, static_cast<size_t>(n));
  const size_t line = status.rfind("nonvoluntary_ctxt_switches:");
  if (line == status.npos) return -1;
  const size_t digit = status.find_first_of("0123456789", line);
  int64_t count = -1;
  if (digit != status.npos) std::from_chars(text + digit, text + n, count);
  return count;
}

cpu_set_t only(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return set;
}

}  // namespace

int thread_id() {
  thread_local const int id = static_cast<int>(syscall(SYS_gettid));
  return id;
}

void ThreadPlace::settle() {
  thread_.store(thread_id(), std::memory_order_relaxed);
  if (state_.load(std::memory_order_relaxed) == State::home)
    cpu_.store(sched_getcpu(), std::memory_order_relaxed);
}

ThreadPlace::~ThreadPlace() {
  if (file_ >= 0) close(file_);
}

bool ThreadPlace::was_interrupted() {
  const int thread = thread_.load(std::memory_order_relaxed);
  if (asked_ != thread) {
    if (file_ >= 0) close(file_);
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    file_ = open(path, O_RDONLY | O_CLOEXEC);
    asked_ = thread, n_interruptions_ = -1;
  }
  if (file_ < 0) return false;
  const int64_t now = interruptions(file_), before = n_interruptions_.exchange(now);
  return before >= 0 && now > before;
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

// The system moves a thread only if its affinity mask forces it to: so first restrict it to the old
// processor.
void ThreadPlace::go_home() {
  if (!is_away()) return;
  const int cpu = cpu_.load(std::memory_order_relaxed);
  if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed_)) {
    const cpu_set_t one = only(cpu);
    sched_setaffinity(0, sizeof one, &one);
  }
  sched_setaffinity(0, sizeof allowed_, &allowed_);
  // Being moved counts as an interruption: do not report those again.
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) == 0) n_interruptions_ = usage.ru_nivcsw;
  state_.store(State::home, std::memory_order_release);
}

// Not while another thread moves it: each would take the mask that the other set for the thread's
// own.
void ThreadPlace::move_off(std::span<const int> taken) {
  State home = State::home;
  if (!state_.compare_exchange_strong(home, State::moving)) return;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || std::ranges::find(taken, cpu) != taken.end()) continue;
    const cpu_set_t one = only(cpu);
    sched_setaffinity(0, sizeof one, &one);
    sched_setaffinity(0, sizeof allowed, &allowed);
    break;
  }
  state_.store(State::home, std::memory_order_release);
}

void pin_to(int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return;
  const cpu_set_t one = only(cpu);
  sched_setaffinity(0, sizeof one, &one);
}

#else

void ThreadPlace::settle() {}
void ThreadPlace::move_off(std::span<const int>) {}
ThreadPlace::~ThreadPlace() = default;
bool ThreadPlace::was_interrupted() { return false; }
void ThreadPlace::fetch_here() {}
void ThreadPlace::go_home() {}
void pin_to(int) {}
int thread_id() { return 0; }

#endif

}  // namespace quern
