// Computes the masks of constraints while the forward pass runs.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/constraint.h"

namespace quern {

// Used by one thread. The worker thread is started by the first non-empty batch.
class MaskThread {
 public:
  struct Job {
    Constraint* constraint;
    std::vector<uint32_t> bits;  // (n_vocab + 31) / 32
    Result<> outcome = Ok{};
  };

  ~MaskThread();
  // Nothing else touches the constraints until wait().
  void begin(std::vector<Job> jobs);
  std::vector<Job> wait();  // in order, all done

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  bool busy_ = false, closed_ = false;
  std::thread thread_;
};

}  // namespace quern
