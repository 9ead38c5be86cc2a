// What a request has produced and its reader has not fetched yet.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "engine/request.h"

namespace quern {

// Between the engine's thread, which puts, and one reader, which takes. A reader that falls behind
// makes the reply full: the engine then computes nothing more for it until it has read on.
class Reply {
 public:
  // tokens that may lie unread before the engine waits
  static constexpr size_t kMostUnread = 256;

  // `on_room` is called from the reader's thread when a full reply has been read.
  explicit Reply(std::function<void()> on_room) : on_room_(std::move(on_room)) {}

  // Engine's side. Returns whether the reply is full now. Nothing comes after a finished output.
  bool put(Output output);

  // Reader's side. Waits for something new; nullopt: nothing more will come, or nothing came before
  // `until`. The last output is the finished one.
  std::optional<Output> take(
      std::optional<std::chrono::steady_clock::time_point> until = std::nullopt);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Output unread_;
  bool full_ = false, over_ = false;
  const std::function<void()> on_room_;
};

}  // namespace quern
