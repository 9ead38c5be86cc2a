#include "base/thread_pool.h"

#include <new>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"

namespace quern {
namespace {

using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

// Longer than the time between two steps of a forward pass, too short to matter on an idle machine.
constexpr microseconds kSpin{150};
// When a waiting thread first checks whether the others were preempted: longer than the usual
// imbalance of a turn. Each further check waits longer by this factor.
constexpr microseconds kLook{50};
// How long the checking thread sleeps between two checks.
constexpr microseconds kNap{300};
constexpr microseconds kNoLimit{-1};

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

bool is_open(uint32_t word) { return word % 2 == 1; }

// Until the word is no longer `seen`, for so long at most; whether it is another.
bool spin(const SignalWord& word, uint32_t seen, microseconds most) {
  const auto end = Clock::now() + most;
  do {
    for (int i = 0; i < 8; ++i) {
      if (word.now() != seen) return true;
      pause();
    }
  } while (Clock::now() < end);
  return false;
}

// Spins for something that ends soon, unless the thread it waits for was preempted, perhaps by this
// one at real-time priority: so it yields from time to time.
void until_false(const std::atomic<bool>& flag) {
  constexpr int kPauses = 1000;
  for (int i = 0; flag.load(std::memory_order_seq_cst); ++i) {
    if (i < kPauses) {
      pause();
    } else {
#if QUERN_THREADS
      std::this_thread::sleep_for(microseconds(20));
#endif
    }
  }
}

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::start(int n_threads, std::vector<int> cpus) {
  if (n_threads < 1 || n_threads > kMaxThreads)
    return Error{Code::invalid_argument, std::to_string(n_threads) + " threads", "thread pool",
                 "ask for 1 to " + std::to_string(kMaxThreads) + " threads"};
  std::unique_ptr<ThreadPool> pool(new ThreadPool(n_threads, std::move(cpus)));
  TRY_OK(pool->start_workers());
  return pool;
}

#if QUERN_THREADS
Result<> ThreadPool::start_workers() {
  try {
    workers_.reserve(n_threads_ - 1);
    for (int i = 1; i < n_threads_; ++i) {
      workers_.push_back(start_thread([&] {
        return Thread([this, i] {
          pin(i);
          work(i);
        });
      }));
    }
  } catch (const std::bad_alloc&) {
    return Error{Code::out_of_memory, "there is no memory for a thread's stack", "thread pool",
                 "use fewer threads, or raise the limit (ulimit -v)"};
  } catch (const std::system_error& error) {  // the pool's destructor ends those already started
    return Error{Code::unavailable, std::string("cannot start a thread: ") + error.what(),
                 "thread pool", "use fewer threads, or raise the limit on processes"};
  }
  return Ok{};
}
#else
Result<> ThreadPool::start_workers() {
  if (n_threads_ == 1) return Ok{};
  return Error{Code::unavailable, "this system has no threads", "thread pool", "ask for one"};
}
#endif

ThreadPool::~ThreadPool() {
  CHECK(!running_.load(), "a thread pool was destroyed while it runs");
  stop_ = true;
  word_.set(word_.now() + 2);
  for (Thread& worker : workers_) worker.join();
}

void ThreadPool::pin(int thread) const {
  if (!cpus_.empty()) pin_to(cpus_[static_cast<size_t>(thread) % cpus_.size()]);
}

// A thread shows that it is inside before it looks whether a region is open, and the caller of
// run() looks for threads inside after the region was closed (all sequentially consistent): so no
// thread that saw it open is missed.
bool ThreadPool::enter(int thread, uint32_t& now) {
  Member& me = members_[thread];
  me.place.settle();
  me.inside.store(true, std::memory_order_seq_cst);
  now = word_.now();
  if (is_open(now)) return true;
  me.inside.store(false, std::memory_order_release);
  return false;
}

// Returns to its own processor only after that, since it may have to wait for it.
void ThreadPool::leave(int thread) {
  members_[thread].inside.store(false, std::memory_order_release);
  members_[thread].place.go_home();
}

void ThreadPool::run_region(Region region) {
  CHECK(!running_.exchange(true), "a region of a thread pool inside or beside another one");
  if (const int caller = thread_id(); caller != pinned_caller_) {
    pin(0);
    pinned_caller_ = caller;
  }
  region.first = word_.now() + 1;
  region_ = region;
  uint32_t now = region.first - 1;
  if (begin_turn(0)) {
    for (now = word_.now(); is_open(now);) {
      if (enter(0, now)) {
        now = take_turns(0, now);
        leave(0);
      }
      if (is_open(now)) wait(0, now), now = word_.now();
    }
  }
  // No thread is inside the region any more, and none is about to move the caller's thread.
  for (int i = 1; i < n_threads_; ++i) until_false(members_[i].inside);
  until_false(fetching_);
  members_[0].place.go_home();
  running_.store(false);
}

// The first turn from `turn` on that has something to do begins; false: the region is over.
bool ThreadPool::begin_turn(int turn) {
  while (turn < region_.n_turns && region_.n_pieces(region_.fn, turn) == 0) ++turn;
  n_done_.store(0, std::memory_order_relaxed);
  const auto turns = 2 * static_cast<uint32_t>(turn);
  const bool more = turn < region_.n_turns;
  if (more || turn > 0) word_.set(region_.first + turns - (more ? 0 : 1));
  return more;
}

// Turn after turn, as long as there is something to do without waiting; the last word seen.
uint32_t ThreadPool::take_turns(int thread, uint32_t now) {
  while (is_open(now)) {
    const int turn = static_cast<int>((now - region_.first) / 2);
    const int64_t all = region_.n_pieces(region_.fn, turn);
    const int64_t mine = region_.work(region_.fn, thread, turn);
    if (mine > 0 && n_done_.fetch_add(mine, std::memory_order_acq_rel) + mine == all)
      begin_turn(turn + 1);
    if (members_[thread].place.is_away()) return now;
    const uint32_t next = word_.now();
    if (next == now) return now;
    now = next;
  }
  return now;
}

// Reads `stop` after the word: the destructor sets it before it changes the word, so a thread that
// has seen the last word does not wait for another one.
void ThreadPool::work(int thread) {
  for (uint32_t seen = 0; !stop_;) {
    wait(thread, seen);
    if (enter(thread, seen)) {
      seen = take_turns(thread, seen);
      leave(thread);
    }
  }
}

void ThreadPool::wait(int thread, uint32_t seen) {
  if (spin(word_, seen, is_open(seen) ? kLook : kSpin)) return;
  if (is_open(seen) && !watched_.exchange(true)) {
    look_after(thread, seen);
    watched_ = false;
    keep_apart(thread);
  } else if (spin(word_, seen, kSpin)) {
    return;
  }
  while (word_.now() == seen) word_.sleep(seen, kNoLimit);
  keep_apart(thread);
}

// The system tends to wake a thread on the CPU of the waking one if something else runs where it
// was, even at the lowest priority. There the two would share one CPU from now on.
void ThreadPool::keep_apart(int thread) {
  ThreadPlace& mine = members_[thread].place;
  if (!cpus_.empty() || mine.is_away()) return;
  mine.settle();
  std::vector<int>& taken = members_[thread].taken;
  taken.clear();
  bool alone = true;
  for (int i = 0; i < n_threads_; ++i) {
    if (i == thread) continue;
    taken.push_back(members_[i].place.cpu());
    alone = alone && taken.back() != mine.cpu();
  }
  if (!alone) mine.move_off(taken);
}

// Until the turn is over: a thread that was preempted while it holds work is moved to this
// processor.
void ThreadPool::look_after(int thread, uint32_t seen) {
  microseconds spun = kLook;
  while (word_.now() == seen) {
    if (fetch_stopped(thread, seen) || spun >= kSpin) {
      word_.sleep(seen, kNap);
    } else {
      spin(word_, seen, spun);
      spun *= 2;
    }
  }
}

// Only while the turn lasts: the caller's thread is not touched once run() has returned.
bool ThreadPool::fetch_stopped(int thread, uint32_t seen) {
  bool any = false;
  fetching_.store(true, std::memory_order_seq_cst);
  for (int i = 0; i < n_threads_ && word_.now() == seen; ++i) {
    Member& other = members_[i];
    if (i == thread || !other.inside.load(std::memory_order_acquire)) continue;
    if (!other.place.was_interrupted()) continue;
    other.place.fetch_here();
    any = true;
  }
  fetching_.store(false, std::memory_order_release);
  return any;
}

}  // namespace quern
