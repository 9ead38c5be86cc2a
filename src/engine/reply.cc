#include "engine/reply.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

template <class T>
void append(std::vector<T>& all, std::vector<T> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

void Reply::on_ready(std::function<void()> ready) {
  const std::lock_guard calls(ready_mutex_);
  ready_ = std::move(ready);
  bool fire = false;
  {
    const std::lock_guard lock(mutex_);
    fire = told_ = ready_ && readable();
  }
  if (fire) ready_();
}

bool Reply::put(Output output) {
  const std::lock_guard calls(ready_mutex_);
  bool fire = false, full = false;
  {
    const std::lock_guard lock(mutex_);
    CHECK(!unread_.finished() && !over_, "nothing follows a finished output");
    unread_.text += output.text;
    append(unread_.ids, std::move(output.ids));
    append(unread_.logprobs, std::move(output.logprobs));
    unread_.finish = output.finish;
    unread_.error = std::move(output.error);
    unread_.timings = output.timings;
    full = full_ = unread_.ids.size() >= kMostUnread;
    fire = ready_ && !std::exchange(told_, true);
  }
  changed_.notify_all();
  if (fire) ready_();
  return full;
}

std::optional<Output> Reply::take(std::optional<std::chrono::steady_clock::time_point> until) {
  std::unique_lock lock(mutex_);
  const auto is_there = [&] { return readable(); };
  if (!until) {
    changed_.wait(lock, is_there);
  } else if (!changed_.wait_until(lock, *until, is_there)) {
    return std::nullopt;
  }
  return taken(std::move(lock));
}

std::optional<Output> Reply::try_take() {
  std::unique_lock lock(mutex_);
  if (!readable()) return std::nullopt;
  return taken(std::move(lock));
}

std::optional<Output> Reply::taken(std::unique_lock<std::mutex> lock) {
  if (over_) return std::nullopt;
  std::optional<Output> output = std::exchange(unread_, {});
  over_ = output->finished();
  told_ = false;
  const bool was_full = std::exchange(full_, false);
  lock.unlock();
  if (was_full && on_room_) on_room_();
  return output;
}

}  // namespace quern
