// When each thread worked on which step of a pass: what --profile and --trace show. Recording costs
// two readings of the clock a step and thread, and nothing where it is off.
#pragma once
#include <algorithm>
#include <chrono>
#include <vector>

#include "backend/executor.h"

namespace quern::cpu {

class Timeline {
 public:
  Timeline(int n_threads, int n_steps) : threads_(n_threads) {
    for (auto& times : threads_) times.resize(n_steps);
  }

  static int64_t now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  }
  // For the thread itself.
  void note(int thread, int step, int64_t begin) { threads_[thread][step] = {begin, now()}; }

  void clear() {
    for (auto& times : threads_) std::fill(times.begin(), times.end(), Span{});
  }

  // All of the last pass, thread by thread; without the steps a thread took no part in.
  std::vector<StepTime> times() const {
    std::vector<StepTime> all;
    for (size_t thread = 0; thread < threads_.size(); ++thread)
      for (size_t step = 0; step < threads_[thread].size(); ++step)
        if (threads_[thread][step].end > 0)
          all.push_back({static_cast<int>(step), static_cast<int>(thread),
                         threads_[thread][step].begin, threads_[thread][step].end});
    return all;
  }

 private:
  struct Span {
    int64_t begin = 0, end = 0;
  };
  std::vector<std::vector<Span>> threads_;
};

}  // namespace quern::cpu
