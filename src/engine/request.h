// What goes into the engine and what comes out of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern {

using RequestId = int64_t;

struct Request {
  std::vector<int32_t> prompt;
  GenerateOptions options;
  int priority = 0;  // larger first
};

// What a request has produced since it was last asked.
struct Output {
  std::string text;          // whole UTF-8 characters, nothing of a stop string
  std::vector<int32_t> ids;  // tokens; their text may come later
  // One of the two says that nothing more follows.
  std::optional<Finish> finish;
  std::optional<Error> error;
  Timings timings;  // complete when finished

  bool finished() const { return finish || error; }
  bool empty() const { return text.empty() && ids.empty() && !finished(); }
};

}  // namespace quern
