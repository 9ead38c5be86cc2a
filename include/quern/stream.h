// A stream: an answer that is read while it is generated.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "quern/generation.h"
#include "quern/result.h"

namespace quern {

// One running answer. Generation continues without a reader for up to some hundred tokens, then it
// is paused. Destroying a Stream cancels its request. One thread reads; cancel may be called from
// any other meanwhile. Keeps the model alive.
class Stream {
 public:
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  // Waits for the next piece. nullopt: the answer is over, and result() says how.
  std::optional<Delta> next();
  // As next, but gives up after `most`: nullopt, and over() is false.
  std::optional<Delta> next(std::chrono::milliseconds most);
  // Never waits: nullopt where nothing has come, or where the answer is over().
  std::optional<Delta> try_next();
  bool over() const;

  // Reads to the end and returns the whole answer; an error of the model or the machine ends an
  // answer too.
  const Result<Generation>& result();

  // For event loops, in place of a thread that waits: `ready` is called when a read would not have
  // to wait, which is so when a piece has come, or the end. Once for all that is unread, however
  // much comes meanwhile, and again after a read: read until try_next gives nothing. Where
  // something is there already, this call itself calls it; otherwise a thread of the library does,
  // whose next step waits until it returns. So `ready` only wakes somebody (writes to an eventfd or
  // a pipe, posts to a queue) and calls nothing of this stream. It replaces the one that was set
  // before; empty: none. Once this call, or the destructor, returns, the old one is not called
  // (so neither is called with a lock that it takes). From the reading thread.
  void on_ready(std::function<void()> ready);

  // Ends the answer within one step; tokens computed before may still be read.
  void cancel();

 private:
  friend class Model;
  struct State;
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quern
