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

bool Reply::put(Output output) {
  const std::lock_guard lock(mutex_);
  CHECK(!unread_.finished() && !over_, "nothing follows a finished output");
  unread_.text += output.text;
  append(unread_.ids, std::move(output.ids));
  append(unread_.logprobs, std::move(output.logprobs));
  unread_.finish = output.finish;
  unread_.error = std::move(output.error);
  unread_.timings = output.timings;
  full_ = unread_.ids.size() >= kMostUnread;
  changed_.notify_all();
  return full_;
}

std::optional<Output> Reply::take(std::optional<std::chrono::steady_clock::time_point> until) {
  std::optional<Output> output;
  bool was_full = false;
  {
    std::unique_lock lock(mutex_);
    const auto is_there = [&] { return over_ || !unread_.empty(); };
    if (!until) {
      changed_.wait(lock, is_there);
    } else if (!changed_.wait_until(lock, *until, is_there)) {
      return output;
    }
    if (over_) return output;
    output = std::exchange(unread_, {});
    over_ = output->finished();
    was_full = std::exchange(full_, false);
  }
  if (was_full && on_room_) on_room_();
  return output;
}

}  // namespace quern
