// Work that a later start profits from, done when it disturbs nobody: on a thread of the lowest
// priority, once it is allowed to begin.
#pragma once
#include <functional>
#include <mutex>
#include <thread>

namespace quern {

class KeepLater {
 public:
  explicit KeepLater(std::function<void()> work) : work_(std::move(work)) {}
  KeepLater(const KeepLater&) = delete;
  KeepLater& operator=(const KeepLater&) = delete;
  ~KeepLater();  // waits for the work begun

  void start();  // thread-safe; the second call does nothing

 private:
  const std::function<void()> work_;
  std::once_flag started_;
  std::thread thread_;
};

}  // namespace quern
