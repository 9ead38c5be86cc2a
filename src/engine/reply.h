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

  // `ready` is called when something can be read: with the first output after a read, by the
  // engine's thread; and by this call, where something lies there already or nothing more will
  // come. Empty: nothing is called any more once this returns.
  void on_ready(std::function<void()> ready);

  // Engine's side. Returns whether the reply is full now. Nothing comes after a finished output.
  bool put(Output output);

  // Reader's side. Waits for something new; nullopt: nothing more will come, or nothing came before
  // `until`. The last output is the finished one.
  std::optional<Output> take(
      std::optional<std::chrono::steady_clock::time_point> until = std::nullopt);
  // As take, without waiting.
  std::optional<Output> try_take();

 private:
  bool readable() const { return over_ || !unread_.empty(); }
  std::optional<Output> taken(std::unique_lock<std::mutex> lock);

  // Held while `ready_` is called, so never by a reader: it may hold a lock that `ready_` takes.
  std::mutex ready_mutex_;  // before mutex_
  std::function<void()> ready_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Output unread_;
  bool full_ = false, over_ = false, told_ = false;  // told_: ready_ was called for what is unread
  const std::function<void()> on_room_;
};

}  // namespace quern
