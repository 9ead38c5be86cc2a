// Runs many requests as one ragged batch: step by step, the scheduler says which rows, the executor
// computes them, the sampler turns logits into tokens. Knows no compiler, no file, no JSON.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "engine/kept_prefixes.h"
#include "engine/pages.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace quern {

struct EngineOptions {
  std::vector<int32_t> end_ids;                     // end of turn or text: generation stops there
  std::function<std::string(int32_t)> token_bytes;  // of one token inside a running text
  int context = 0;                       // tokens of one sequence at most; 0: as many as the cache
  int max_sequences = 64;                // in one step; more wait
  int prompt_rows_beside_streams = 128;  // in one step: bounds the wait of running streams
};

// One thread at a time (SharedEngine lets several callers in). A request's tokens depend on the
// request alone: not on its company, on being preempted, or on what was reused.
class Engine {
 public:
  // The executor outlives the engine, and nobody else uses it meanwhile.
  Engine(Executor& executor, EngineOptions options);

  // Errors: invalid_argument (empty prompt, id out of range, option), out_of_memory (prompt longer
  // than the context).
  Result<RequestId> submit(Request request);
  // Ends it with Finish::cancelled; unknown and finished ones are left alone.
  void cancel(RequestId id);
  // Runs one forward pass over what the scheduler chose. Returns its rows; 0: nothing to do. An
  // executor's error ends the requests of the pass, and no others.
  int step();
  // What came since the last call. After a finished output the request is forgotten.
  Output take(RequestId id);
  // Forgets it, cancelling it where it runs.
  void drop(RequestId id);

  // Teacher-forced pass over `tokens`, see Model::score. Running requests lose their pages where
  // there are too few, and go on afterwards. on_logits does not call the engine.
  Result<> score(std::span<const int32_t> tokens, int chunk,
                 const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                 int64_t n_prompt = 0);

  int context() const { return context_; }
  int64_t n_preempted() const { return n_preempted_; }  // sequences that lost their pages, so far
  int n_free_pages() const { return pool_.n_free() + kept_.n_pages(); }  // reusable ones included

 private:
  Result<> check(const Request& request) const;
  Result<> check_tokens(std::span<const int32_t> tokens) const;
  Plan plan();
  void fill_batch(const Plan& plan);
  void take_token(Sequence& sequence, std::span<float> logits);
  void reserve(PageTable& pages, int n_tokens);
  void retire(Sequence& sequence);
  Sequence& sequence(RequestId id) { return *sequences_.at(id); }

  Executor& executor_;
  EngineOptions options_;
  int context_;
  Limits limits_;
  PagePool pool_;  // before everything that holds pages
  KeptPrefixes kept_;
  std::map<RequestId, std::unique_ptr<Sequence>> sequences_;  // until their last output is taken
  RequestId next_id_ = 0;
  int64_t n_preempted_ = 0;

  // One step's memory, kept from step to step.
  std::vector<SequenceView> views_;
  std::vector<int32_t> tokens_, used_;
  std::vector<Chunk> chunks_;
  std::vector<float> logits_;
  SampleScratch scratch_;
};

}  // namespace quern
