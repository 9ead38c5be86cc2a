// A number that threads wait on until it changes: the futex of Linux, std::atomic's waiting
// elsewhere. Setting it costs no system call while no thread sleeps.
//
// Not std::atomic::wait on Linux, because that of libstdc++ yields some times before it sleeps:
// beside a busy process each yield costs a time slice of milliseconds.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace quern {

class alignas(64) SignalWord {
 public:
  uint32_t now() const { return word_.load(std::memory_order_seq_cst); }
  // Earlier writes are visible to every thread that sees the new value; all sleepers wake.
  void set(uint32_t value);
  // Sleeps until the word is no longer `seen`, or the time is over (negative: without limit); may
  // return early.
  void sleep(uint32_t seen, std::chrono::microseconds most);

 private:
  std::atomic<uint32_t> word_{0};
  std::atomic<uint32_t> n_sleepers_{0};
};

}  // namespace quern
