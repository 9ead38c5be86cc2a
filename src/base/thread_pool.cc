#include "base/thread_pool.h"

#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace quern {
namespace {

// A pause takes 40 to 140 cycles, so this is about 100 us: longer than the time between two steps
// of a forward pass, shorter than anyone would notice on an idle machine.
constexpr int kPauses = 2000;
// Then the CPU is offered to others, who may be the ones waited for.
constexpr int kYields = 50;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

// The `index`-th CPU of the mask this thread inherited; silently none where that is not possible,
// since pinning is only a hint.
void pin_to(int index) {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0) return;
  int left = index % CPU_COUNT(&allowed), cpu = 0;
  while (!CPU_ISSET(cpu, &allowed) || left-- > 0) ++cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
#endif
}

}  // namespace

void Signal::wait(uint32_t seen) const {
  for (int i = 0; i < kPauses; ++i) {
    if (count_.load(std::memory_order_acquire) != seen) return;
    pause();
  }
  for (int i = 0; i < kYields; ++i) {
    if (count_.load(std::memory_order_acquire) != seen) return;
    std::this_thread::yield();
  }
  count_.wait(seen, std::memory_order_acquire);
}

// Sequentially consistent: the notifier must not look for sleepers before its count is visible,
// or a thread that just then goes to sleep on the old count is never woken.
void Signal::advance() {
  count_.fetch_add(1, std::memory_order_seq_cst);
  count_.notify_all();
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::start(int n_threads, bool pin) {
  if (n_threads < 1 || n_threads > kMaxThreads)
    return Error{Code::invalid_argument, std::to_string(n_threads) + " threads", "thread pool",
                 "ask for 1 to " + std::to_string(kMaxThreads) + " threads"};
  std::unique_ptr<ThreadPool> pool(new ThreadPool(n_threads));
  try {
    pool->workers_.reserve(n_threads - 1);
    for (int i = 1; i < n_threads; ++i)
      pool->workers_.emplace_back([p = pool.get(), i, pin] {
        if (pin) pin_to(i);
        p->work(i);
      });
  } catch (const std::system_error& error) {  // the pool's destructor ends those already started
    return Error{Code::unavailable, std::string("cannot start a thread: ") + error.what(),
                 "thread pool", "use fewer threads, or raise the limit on processes"};
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  CHECK(!running_.load(), "a thread pool was destroyed while it runs");
  stop_ = true;
  begin_.advance();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_task(Task task) {
  CHECK(!running_.exchange(true), "a region of a thread pool inside or beside another one");
  task_ = task;
  begin_.advance();
  task.call(task.fn, 0, n_threads_);
  barrier();
  running_.store(false);
}

void ThreadPool::work(int thread) {
  for (uint32_t seen = 0;; ++seen) {
    begin_.wait(seen);
    if (stop_) return;
    task_.call(task_.fn, thread, n_threads_);
    barrier();
  }
}

void ThreadPool::barrier() {
  // Read before arriving: the count cannot move until this thread has arrived.
  const uint32_t seen = passed_.now();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    passed_.advance();
  } else {
    passed_.wait(seen);
  }
}

}  // namespace quern
