// Runs many requests as one ragged batch: step by step, the scheduler says which rows, the executor
// computes them, the sampler turns logits into tokens. Knows no compiler, no file, no JSON.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "engine/embed.h"
#include "engine/fair_shares.h"
#include "engine/kv/pages.h"
#include "engine/kv/prefix_store.h"
#include "engine/kv/prefix_tree.h"
#include "engine/mask_thread.h"
#include "engine/pace.h"
#include "engine/request.h"
#include "engine/sample/sample_vocabulary.h"
#include "engine/sample/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/spec/draft_model.h"
#include "engine/spec/ngram_lookup.h"
#include "engine/waiting_count.h"
#include "quern/counts.h"

namespace quern {

struct EngineOptions {
  std::vector<int32_t> end_ids;                     // end of turn or text: generation stops there
  std::function<std::string(int32_t)> token_bytes;  // of one token inside a running text
  int context = 0;         // tokens of one sequence at most; 0: as many as the cache
  int max_sequences = 64;  // in one step; more wait
  int max_waiting = 1024;  // answers that have not begun; more are refused
  // Steps that also read prompts take at most so many times as long, in the mean, as if all who are
  // there were streams already (pace.h).
  double stretch = 2;
  int prompt_rows_beside_streams = 512;  // in one step, however fast they are
  int most_idle_pages = INT32_MAX;       // of a group, kept for prompts that begin alike; 0: none
  // Recurrent models: states that are kept for prompts that begin alike, and for preempted answers,
  // in host memory; those used last stay. 0: none. A running answer has one more of its own. They
  // are taken at the last page boundary of a prompt and of an answer, and every checkpoint_tokens
  // tokens (rounded down to whole pages) between.
  int64_t checkpoint_bytes = int64_t{1} << 30;
  int checkpoint_tokens = 1024;
  // Cached rows are reused only in the role in which they were computed. Else what the model wrote
  // itself is reused as it was computed then, which differs in the last digits from reading it.
  bool deterministic = false;
  std::shared_ptr<PrefixStore> store;  // cached pages go there too, and are found there; null: none
  std::string model;                   // tells its weights apart, for files of pages
  // A small model with the same tokens that guesses what comes next; null: none. Outlives the
  // engine, and nobody else uses it meanwhile.
  Executor* draft = nullptr;
  int draft_context = 0;                    // tokens it can follow; 0: as many as its cache
  int most_drafts = Sequence::kMostDrafts;  // guesses of one sequence in a step, at most; 0: none
  // Whether it pays or not, and in as many rows as prompts may have: for tests, which know no time.
  bool always_guess = false;
};

// A request that was checked and counted, on its way into the engine.
struct Submission {
  Request request;
  RequestId first = -1;  // of the first answer
  Sequence::Clock::time_point time;
  std::vector<WaitingCount::Place> places;  // one for each answer
};

// One thread at a time (EngineThread lets several callers in). A request's tokens depend on the
// request alone: not on its company, on being preempted, or on how its prompt was cut; and, where
// `deterministic`, not on what was reused.
class Engine {
 public:
  // The executor outlives the engine, and nobody else uses it meanwhile.
  Engine(Executor& executor, EngineOptions options);

  // Returns the first answer's id, the others' are the following ones. Errors: invalid_argument
  // (empty prompt, id out of range, option), context_too_long (the prompt is), queue_full.
  Result<RequestId> submit(Request request) {
    TRY(Submission submission, prepare(std::move(request)));
    const RequestId first = submission.first;
    add(std::move(submission));
    return first;
  }
  // The two parts of submit. The first may be called by any thread at any time: it reads only what
  // never changes, and counts the request's answers as waiting. The second cannot fail.
  Result<Submission> prepare(Request request);
  void add(Submission submission);
  // Ends it with Finish::cancelled; unknown and finished ones are left alone.
  void cancel(RequestId id);
  // A paused answer gets no rows until it is let go on; unknown ones are left alone.
  void pause(RequestId id, bool paused);
  // Runs one forward pass over what the scheduler chose. Returns its rows; 0: nothing to do. An
  // executor's error ends the answers of the pass, and no others.
  int step();
  // What came since the last call. After a finished output the answer is forgotten.
  Output take(RequestId id);
  // Forgets it, cancelling it where it runs.
  void drop(RequestId id);

  // Teacher-forced pass over `tokens`, see Model::score. Running requests lose their pages where
  // there are too few, and go on afterwards. on_logits does not call the engine.
  Result<> score(std::span<const int32_t> tokens, int chunk,
                 const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                 int64_t n_prompt = 0);

  // The next turn of an embedding, see there. Running requests lose their pages as in score.
  Result<> advance(Embedding& embedding);

  // Writes what is cached of `tokens` to a file, which restore() of another engine with the same
  // model, numerics and kind of cache reads, so that prompts which begin so need not be computed.
  // Returns how many tokens that are. Errors: invalid_argument, unavailable (disk).
  Result<int> save(const std::string& path, std::span<const int32_t> tokens,
                   const std::string& salt);
  // The tokens that are cached now. Errors: as restore_session; nothing changes then.
  Result<std::vector<int32_t>> restore(const std::string& path);
  // Hands cached pages to the store, as many as it takes at once; `all`: waits until it has all.
  void store_pages(bool all);

  int context() const { return context_; }
  // When step() has to be called at the latest though there is nothing to compute.
  std::optional<std::chrono::steady_clock::time_point> next_deadline() const;
  EngineCounts counts() const;
  // Free, or kept by nobody but the prefix tree.
  int n_free_pages(int group = 0) const {
    return pools_[group].n_free() + prefixes_.n_evictable(group);
  }
  int n_embedding_rows() const { return embedding_rows_.n_rows(); }  // that somebody needs
  int n_free_states() const { return pools_.n_free_states(); }
  int n_waiting() const { return waiting_->n(); }  // answers that have not begun; any thread
  PrefixTree& prefixes() { return prefixes_; }
  const DraftModel* draft() const { return draft_ ? &*draft_ : nullptr; }

 private:
  // Of a sequence in a step.
  struct Row {
    Sequence* sequence;
    int n_rows, n_logits;  // of the batch; logits of its last n_logits rows
    int32_t spare = -1;    // slot with the state before the pass, where drafts may be wrong
  };

  Result<> check(const Request& request) const;
  // n_rows: of embeddings that tokens may name.
  Result<> check_tokens(std::span<const int32_t> tokens, int64_t n_rows = 0) const;
  Result<> check_embeddings(const Request& request) const;

  // ---- a step, in this order (engine_step.cc)
  void end_overdue();
  void look_up_prefixes();
  int n_streams() const;
  Pace::Prompts waiting_prompts(int n_streams) const;
  double read_drafts(int n_streams);
  void guess(int n_streams);
  Plan plan();
  void fill_batch(const Plan& plan);
  void add_row(int32_t token);
  void begin_masks();
  Result<> forward(const Plan& plan);
  int32_t spare_state(Sequence& s);
  void settle_state(const Row& row, int n_before);
  void take_tokens(Sequence& sequence, size_t first_logits, int n_logits);
  void release_followers(Sequence& leader, std::span<const float> logits);

  DraftModel::Text draft_text(const Sequence& s) const;
  int room_for_drafts(const Sequence& s) const;
  void choose_drafts(Sequence& s, int n_streams, std::vector<DraftModel::Wish>& wishes);
  void note_drafts(Sequence& s, int n_checked, int n_true);
  bool take_token(Sequence& s, std::span<float> logits, std::span<const uint32_t> mask);
  void take_forced(Sequence& s);
  std::span<const uint32_t> within_budget(const Sequence& s, std::span<const uint32_t> mask);
  bool ends(const Sequence& s, int32_t token) const;
  bool append(Sequence& s, int32_t token, std::optional<TokenLogprobs> logprobs);
  bool refresh_mask(Sequence& s);
  bool fork(Sequence& from, Sequence& to);
  void orphan_followers(const Sequence& leader);
  size_t mask_words() const { return (size_t(executor_.n_vocab()) + 31) / 32; }
  void reserve(PageTable& pages, int n_tokens);
  bool has_room(const PageTable& pages, int n_tokens) const;
  void make_room(const PageTable& pages, int n_tokens);
  void load_state(PageTable& pages);
  int rows_to_checkpoint(const Sequence& s) const;
  void take_checkpoint(Sequence& s);
  void lose_cache(Sequence& s);
  void fail(Sequence& s, const Error& error);
  void retire(Sequence& s);
  void forget(RequestId id);
  Sequence& sequence(RequestId id) { return *sequences_.at(id); }

  Executor& executor_;
  EngineOptions options_;
  int context_;
  Limits limits_;
  Pace pace_;
  FairShares<std::string> shares_;  // of answers that are not forgotten
  SampleVocabulary vocabulary_;
  CachePools pools_;  // before everything that holds pages
  EmbeddingRows embedding_rows_;
  PrefixTree prefixes_;
  NgramLookup ngrams_;
  std::optional<DraftModel> draft_;
  MaskThread masks_;
  std::map<RequestId, std::unique_ptr<Sequence>> sequences_;  // until their last output is taken
  std::shared_ptr<WaitingCount> waiting_;
  std::atomic<RequestId> next_id_ = 0;
  int64_t n_admitted_ = 0;
  EngineCounts counts_;

  // One step's memory, kept from step to step.
  std::vector<SequenceView> views_;
  std::vector<Row> rows_;
  std::vector<int32_t> tokens_, used_;
  std::vector<Chunk> chunks_;
  std::vector<float> logits_, embeddings_;
  std::vector<uint32_t> mask_, only_one_;
  SampleScratch scratch_;
};

}  // namespace quern
