#include "engine/mask_thread.h"

#include <utility>

#include "base/threads.h"

namespace quern {

MaskThread::~MaskThread() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MaskThread::begin(std::vector<Job> jobs) {
  if (jobs.empty()) return;
  if (!thread_.joinable())
    thread_ = start_thread([this] { return std::thread([this] { run(); }); });
  {
    const std::lock_guard lock(mutex_);
    jobs_ = std::move(jobs);
    busy_ = true;
  }
  changed_.notify_all();
}

std::vector<MaskThread::Job> MaskThread::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !busy_; });
  return std::exchange(jobs_, {});
}

void MaskThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return busy_ || closed_; });
    if (closed_) return;
    lock.unlock();  // no other thread reads the jobs while busy
    for (Job& job : jobs_) job.outcome = job.constraint->mask(job.bits);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace quern
