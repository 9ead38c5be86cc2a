#include "base/signal_word.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>
#endif

#include "base/threads.h"

namespace quern {

#if defined(__linux__)

// Sequentially consistent, here and below: the setter must not check for sleepers before the word
// is visible, or a thread that falls asleep on the old value at that moment is never woken.
void SignalWord::set(uint32_t value) {
  word_.store(value, std::memory_order_seq_cst);
  if (n_sleepers_.load(std::memory_order_seq_cst) == 0) return;
  syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void SignalWord::sleep(uint32_t seen, std::chrono::microseconds most) {
  n_sleepers_.fetch_add(1, std::memory_order_seq_cst);
  const timespec time = {most.count() / 1000000, most.count() % 1000000 * 1000};
  syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, seen, most.count() < 0 ? nullptr : &time, nullptr,
          0);
  n_sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

#else

void SignalWord::set(uint32_t value) {
  word_.store(value, std::memory_order_seq_cst);
  word_.notify_all();
}

// Waiting with a limit is not offered by std::atomic.
void SignalWord::sleep(uint32_t seen, std::chrono::microseconds most) {
  if (most.count() < 0) {
    word_.wait(seen, std::memory_order_seq_cst);
  } else {
#if QUERN_THREADS
    std::this_thread::sleep_for(most);
#endif
  }
}

#endif

}  // namespace quern
