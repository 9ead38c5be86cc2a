// Measuring a compiled model: tokens per second of prompts and of generation, on the executor
// itself, without sampling or text.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "backend/sequence_pages.h"
#include "base/result.h"
#include "formats/weight_source.h"

namespace quern::measure {

// The matrices that every token is multiplied with: all but the embedding (unless it is the head as
// well) and the norms. Bytes are as the file stores them.
struct Work {
  int64_t bytes = 0, weights = 0;            // weights: numbers; the head's among them
  int64_t body_bytes = 0, body_weights = 0;  // without the head
};
Work work_of(const WeightSource& source);

// n_gen 0: reading a prompt of n_prompt tokens. Otherwise n_seqs sequences generate n_gen tokens
// each, together in one batch, after prompts of n_prompt tokens (of their own, not timed). Before
// all that each sequence's cache holds n_depth tokens.
struct SpeedTest {
  int n_prompt = 0, n_gen = 0, n_seqs = 1, n_depth = 0;
  int untimed() const { return n_depth + (n_gen > 0 ? n_prompt : 0); }  // tokens of a sequence
  int timed() const { return n_gen > 0 ? n_gen : n_prompt; }            // likewise
  int length() const { return untimed() + timed(); }
};

// What a run of a test does at least: weights and cache read once per pass, two operations per
// weight and token. The head counts in passes that compute logits.
struct Traffic {
  double bytes = 0, operations = 0;
};
// Bytes of keys and values that a pass reads of a sequence of n_tokens: of groups with a window no
// more than that.
double cache_bytes(const Executor& executor, int n_tokens);
// rows: of a pass at most. cache_bytes: of a sequence of so many tokens.
Traffic traffic_of(const SpeedTest& test, int rows, const Work& work,
                   const std::function<double(int n_tokens)>& cache_bytes);

// What the machine could do at a moment, on as many threads; 10^9 per second.
struct Moment {
  double dram_gbps = 0, int8_gops = 0;
};

struct Sample {
  double tokens_per_second = 0;  // of all sequences together
  Moment limits;                 // mean of just before and just after
};

double mean(std::span<const double> values);
double deviation(std::span<const double> values);  // of the sample (n - 1); 0 for one value
double median(std::vector<double> values);         // 0 of none

class Speedometer {
 public:
  // rows: of a pass at most. probe measures the machine, between the runs.
  Speedometer(Executor& executor, int rows, std::function<Moment()> probe);

  // One run to warm up, then `repetitions`. Prompts go in passes of `rows` tokens; the last token's
  // logits alone are computed; of generated tokens, each one's. Sequences take pages in order; the
  // executor must have room for n_seqs of them and n_seqs rows. keep_going is asked before
  // each run. Errors: as Executor::forward; cancelled.
  Result<std::vector<Sample>> measure(const SpeedTest& test, int repetitions,
                                      const std::function<bool(int run)>& keep_going);

 private:
  Result<> fill(const SpeedTest& test);
  Result<> run(const SpeedTest& test);
  Result<> pass(int first_seq, int n_seqs, int position, int n_rows, bool logits);

  Executor& executor_;
  const int rows_;
  std::function<Moment()> probe_;
  int filled_ = 0;  // tokens in the cache of the first sequence that other tests may build on
  SequencePages pages_;
  std::vector<int32_t> tokens_, used_;
  std::vector<Chunk> chunks_;
  std::vector<float> logits_;
  uint64_t noise_ = 1;
};

}  // namespace quern::measure
