// How the threads of a pass share the work of its steps: each owns a contiguous stretch of a step's
// items and takes them from its front; whoever finishes early takes from the far end of the longest
// stretch that is left. So a thread reads its weights in one sequence, and a thread that lost its
// processor to another program holds the others up by one take, not by its whole share.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace quern::cpu {

struct Range {
  int64_t first, last;
  bool empty() const { return first >= last; }
};

// What [0, n) is to one of n_threads: contiguous, and none longer than the others by more than one.
constexpr Range share(int64_t n, int thread, int n_threads) {
  return {n * thread / n_threads, n * (thread + 1) / n_threads};
}

// Fewer than 2^31 items a step. open() is for the owner alone, in the step before (a barrier
// follows); take() is for all.
class WorkQueues {
 public:
  explicit WorkQueues(int n_threads)
      : n_threads_(n_threads), queues_(new Queue[size_t{2} * n_threads]) {}

  void open(int step, int thread, int64_t n_items) {
    const Range mine = share(n_items, thread, n_threads_);
    at(step, thread).store(packed(mine), std::memory_order_relaxed);
  }

  // Up to `most` items that nobody else has; empty: nothing is left of this step.
  Range take(int step, int thread, int64_t most) {
    if (const Range own = pop(at(step, thread), most, true); !own.empty()) return own;
    for (;;) {
      int fullest = -1;
      int64_t left = 0;
      for (int i = 0; i < n_threads_; ++i) {
        const Range r = unpacked(at(step, i).load(std::memory_order_relaxed));
        if (r.last - r.first > left) fullest = i, left = r.last - r.first;
      }
      if (fullest < 0) return {0, 0};
      const Range other = pop(at(step, fullest), most, false);
      if (!other.empty()) return other;
    }
  }

 private:
  struct alignas(64) Queue {
    std::atomic<uint64_t> range{0};  // first item, last item: 32 bits each
  };

  static uint64_t packed(Range r) {
    return static_cast<uint64_t>(r.first) << 32 | static_cast<uint64_t>(r.last);
  }
  static Range unpacked(uint64_t bits) {
    return {static_cast<int64_t>(bits >> 32), static_cast<int64_t>(bits & 0xffffffff)};
  }
  static Range pop(std::atomic<uint64_t>& queue, int64_t most, bool front) {
    uint64_t seen = queue.load(std::memory_order_relaxed);
    for (;;) {
      const Range r = unpacked(seen);
      if (r.empty()) return {0, 0};
      const int64_t n = r.last - r.first < most ? r.last - r.first : most;
      const Range taken = front ? Range{r.first, r.first + n} : Range{r.last - n, r.last};
      const Range left = front ? Range{r.first + n, r.last} : Range{r.first, r.last - n};
      if (queue.compare_exchange_weak(seen, packed(left), std::memory_order_relaxed)) return taken;
    }
  }
  // Two sets by turns: one is open for the step at hand while the owners fill the other.
  std::atomic<uint64_t>& at(int step, int thread) {
    return queues_[static_cast<size_t>(step % 2) * n_threads_ + thread].range;
  }

  int n_threads_;
  std::unique_ptr<Queue[]> queues_;
};

}  // namespace quern::cpu
