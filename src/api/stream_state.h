// What a Stream holds.
#pragma once
#include <memory>
#include <optional>

#include "engine/engine_thread.h"
#include "quern/stream.h"

namespace quern {

struct Stream::State {
  // The next piece that take (ticket -> output, perhaps nothing) gives.
  template <class Take>
  std::optional<Delta> read(Take take);
  // Adds it to the result; nothing where it has neither text nor tokens.
  std::optional<Delta> keep(Output output);

  std::shared_ptr<const void> model;  // kept alive; goes last
  EngineThread::Ticket ticket;
  Result<Generation> result = Generation{};
  bool over = false;
};

}  // namespace quern
