// An answer that is read while it is written.
#pragma once
#include <chrono>
#include <memory>
#include <optional>

#include "quern/generation.h"
#include "quern/result.h"

namespace quern {

// One running answer. It goes on while nobody reads, up to some hundred tokens: then it waits for
// its reader. A stream that goes cancels its answer. One thread reads; cancel may be called from
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
  bool over() const;

  // Reads to the end. The whole answer; an error of the model or the machine ends an answer too.
  const Result<Generation>& result();

  // Ends the answer within one step; what was computed before may still come.
  void cancel();

 private:
  friend class Model;
  struct State;
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quern
