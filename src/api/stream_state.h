// What a Stream holds.
#pragma once
#include <memory>
#include <optional>

#include "engine/engine_thread.h"
#include "quern/stream.h"

namespace quern {

struct Stream::State {
  std::optional<Delta> take(std::optional<std::chrono::steady_clock::time_point> until);

  std::shared_ptr<const void> model;  // kept alive; goes last
  EngineThread::Ticket ticket;
  Result<Generation> result = Generation{};
  bool over = false;
};

}  // namespace quern
