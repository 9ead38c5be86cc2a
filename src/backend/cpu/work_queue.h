// Work stealing: each thread owns a contiguous share of a step's items and takes them from its
// front; a thread whose share is used up steals from the end of the longest share left. So a thread
// reads its weights in sequence, and a preempted thread delays the others by one take, not by its
// whole share.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace quern::cpu {

struct Range {
  int64_t first, last;
  bool empty() const { return first >= last; }
};

// The share of one of n_threads in [0, n): contiguous, and sizes differ by at most one.
constexpr Range share(int64_t n, int thread, int n_threads) {
  return {n * thread / n_threads, n * (thread + 1) / n_threads};
}

// The same for items [first, first + n) of `all` consecutive ones, counted from `first`: a thread's
// part of them. Weights are packed so by the threads that will read them: on NUMA machines a page
// is local to the thread that writes it first.
constexpr Range share_of_part(int64_t all, int64_t first, int64_t n, int thread, int n_threads) {
  const Range mine = share(all, thread, n_threads);
  const int64_t begin = mine.first > first ? mine.first - first : 0;
  const int64_t end = mine.last - first < n ? mine.last - first : n;
  return {begin, end < begin ? begin : end};
}

// One queue per thread, reused for every turn. A queue resets itself: the first thread that takes
// from it in a turn finds the mark of an earlier turn and begins with the whole share. A late
// thread, whose turn is over, finds nothing.
//
// Fewer than 2^24 items a turn; turns are numbered consecutively, modulo 2^16. A turn must be used
// up (take() returned nothing to some thread) before the next begins; turns without items may be
// left out.
class WorkQueues {
 public:
  static constexpr int64_t kMaxItems = (int64_t{1} << 24) - 1;

  explicit WorkQueues(int n_threads) : n_threads_(n_threads), queues_(new Queue[n_threads]) {}

  // Up to `most` items of turn `turn`, which has n_items, that no other thread has taken; empty:
  // nothing is left.
  Range take(uint16_t turn, int thread, int64_t n_items, int64_t most) {
    if (const Range own = pop(turn, thread, n_items, most, true); !own.empty()) return own;
    for (;;) {
      int fullest = -1;
      int64_t max_left = 0;
      for (int i = 0; i < n_threads_; ++i) {
        const Range r = left(queues_[i].state.load(std::memory_order_relaxed), turn, i, n_items);
        // Empty shares are reset as well, or their marks would be mistaken for a later turn's.
        if (r.empty()) pop(turn, i, n_items, most, false);
        if (r.last - r.first > max_left) fullest = i, max_left = r.last - r.first;
      }
      if (fullest < 0) return {0, 0};
      const Range other = pop(turn, fullest, n_items, most, false);
      if (!other.empty()) return other;
    }
  }

 private:
  struct alignas(64) Queue {
    std::atomic<uint64_t> state{0};  // turn (16 bits), first item, last item (24 each)
  };

  static uint64_t packed(uint16_t turn, Range r) {
    return uint64_t{turn} << 48 | static_cast<uint64_t>(r.first) << 24 |
           static_cast<uint64_t>(r.last);
  }
  static uint16_t turn_of(uint64_t state) { return static_cast<uint16_t>(state >> 48); }

  // What queue `owner` holds for this turn.
  Range left(uint64_t state, uint16_t turn, int owner, int64_t n_items) const {
    const auto ahead = static_cast<int16_t>(turn_of(state) - turn);
    if (ahead > 0) return {0, 0};
    if (ahead < 0) return share(n_items, owner, n_threads_);
    return {static_cast<int64_t>(state >> 24 & 0xffffff), static_cast<int64_t>(state & 0xffffff)};
  }

  Range pop(uint16_t turn, int owner, int64_t n_items, int64_t most, bool front) {
    std::atomic<uint64_t>& state = queues_[owner].state;
    uint64_t seen = state.load(std::memory_order_relaxed);
    for (;;) {
      const Range r = left(seen, turn, owner, n_items);
      if (r.empty() && static_cast<int16_t>(turn_of(seen) - turn) >= 0) return {0, 0};
      const int64_t n = r.last - r.first < most ? r.last - r.first : most;
      const Range taken = front ? Range{r.first, r.first + n} : Range{r.last - n, r.last};
      const Range rest = front ? Range{r.first + n, r.last} : Range{r.first, r.last - n};
      if (state.compare_exchange_weak(seen, packed(turn, rest), std::memory_order_relaxed))
        return taken;
    }
  }

  int n_threads_;
  std::unique_ptr<Queue[]> queues_;
};

}  // namespace quern::cpu
