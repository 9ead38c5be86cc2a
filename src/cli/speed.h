// Measuring a compiled model: tokens per second of prompts and of generation, on the executor
// itself, without sampling or text.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "backend/executor.h"
#include "base/result.h"
#include "formats/weight_source.h"

namespace quern::cli {

// The matrices that every token is multiplied with: all but the embedding (unless it is the head as
// well) and the norms.
struct Work {
  int64_t bytes = 0;         // as the file stores them
  int64_t weights = 0;       // numbers, the head's among them
  int64_t body_weights = 0;  // without the head
};
Work work_of(const WeightSource& source);

struct SpeedTest {
  int n_prompt = 0, n_gen = 0;  // one of them is 0
};

struct Speed {
  std::vector<double> samples;  // tokens per second, one per repetition
  double mean() const;
  double deviation() const;  // of the sample (n - 1); 0 for one repetition
};

// One run to warm up, then `repetitions`. Prompts are fed in passes of `rows` tokens, of which the
// last token's logits are computed; generation is one token a pass, each with its logits. The cache
// is empty at the beginning of each run. keep_going is asked before each run.
// Errors: as Executor::forward; cancelled.
Result<Speed> measure(Executor& executor, const SpeedTest& test, int rows, int repetitions,
                      const std::function<bool(int run)>& keep_going);

}  // namespace quern::cli
