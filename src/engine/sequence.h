// One answer while the engine works on it: its tokens, its pages, its running text.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/executor.h"
#include "engine/kv/embedding_rows.h"
#include "engine/kv/pages.h"
#include "engine/request.h"
#include "engine/sample/sampler.h"
#include "engine/spec/payoff.h"
#include "engine/waiting_count.h"
#include "text/stop_strings.h"
#include "text/utf8_stream.h"

namespace quern {

// What the prefix tree compares: a token, and the role in which its row is computed, in the last
// bit.
constexpr int32_t key_of(int32_t token, Role role) { return 2 * token + (role == Role::used); }
constexpr int32_t token_of(int32_t key) { return key >> 1; }
constexpr bool is_used(int32_t key) { return (key & 1) != 0; }

class Sequence {
 public:
  using Clock = std::chrono::steady_clock;

  // When it was submitted, and that it is counted as waiting until it begins or ends.
  struct Arrival {
    Clock::time_point time;
    WaitingCount::Place place;
  };
  // width: of a row of the request's embeddings, which `rows` has from now on.
  Sequence(RequestId id, Request request, Sampler sampler, PageTable pages, Arrival arrival,
           EmbeddingRows& rows, int width);

  RequestId id() const { return id_; }
  const GenerateOptions& options() const { return request_.options; }

  // ---- tokens: the prompt's, then generated ones
  std::span<const int32_t> tokens() const { return tokens_; }
  std::span<const int32_t> keys() const { return keys_; }  // of the same tokens
  int n_tokens() const { return static_cast<int>(tokens_.size()); }
  // The tokens without rows of embeddings: what samplers and n-gram lookup know.
  std::span<const int32_t> history() const { return embeddings_.any() ? words_ : tokens_; }
  int n_prompt_history() const { return static_cast<int>(history().size()) - n_generated(); }
  bool has_embeddings() const { return embeddings_.any(); }
  int n_prompt() const { return n_prompt_; }
  int n_generated() const { return n_tokens() - n_prompt_; }
  int most_new() const {
    return request_.options.max_tokens < 0 ? INT32_MAX : request_.options.max_tokens;
  }

  // ---- cache
  int n_cached() const { return n_cached_; }
  int n_pending() const { return n_tokens() - n_cached_; }
  PageTable& pages() { return pages_; }
  // The pages hold the first keys.size() tokens, in the roles that stand there: where the sequence
  // computes them again, it does so in the same.
  void reuse(std::span<const int32_t> keys);
  void computed(int n_rows) { n_cached_ += n_rows; }
  void rewind(int n_cached) { n_cached_ = n_cached; }  // the pages hold no more than so many tokens
  void lose_cache();                                   // preempted: tokens stay, pages go back
  void forked(const Sequence& from);  // the pages hold the whole prompt, as those of `from`

  StateBytes checkpoint;  // the last one that was taken; null: none
  int n_checkpoint = 0;   // it stands behind so many tokens

  // Of the next n_rows pending tokens, as many as one chunk may hold: rows of prompts, then used
  // ones. And how many of those are used.
  struct Rows {
    int n, n_used;
  };
  Rows rows(int n_rows) const;

  // ---- life
  bool live() const { return !output_.finished(); }
  // Its next rows give its next token: a few pending ones at most, where a grammar forces some.
  bool generating() const { return n_generated() > 0 && n_pending() <= kMostForced; }
  static constexpr int kMostForced = 32;
  static constexpr int kMostDrafts = 16;
  bool takes_part() const { return live() && leader < 0; }
  int64_t admission() const { return admission_; }
  // Gets its first rows; later calls do nothing.
  void start(int64_t admission);
  bool paused = false;           // its reader is behind
  RequestId leader = -1;         // computes the prompt they share; -1: nobody, or it is done
  bool looked_up = false;        // the tree was asked for what it has of the tokens
  std::vector<int32_t> drafts;   // guesses checked by the step at hand
  bool drafts_by_model = false;  // a draft model made them, not earlier text
  bool wants_model = true;       // the draft model reads along, as its guesses are to be checked
  int n_learned = 0;             // tokens the guesses from earlier text know of

  // ---- answer
  Sampler sampler;
  std::unique_ptr<Constraint> constraint;  // null: anything goes
  std::optional<ReasoningBudget> reasoning;
  Payoff text_payoff, model_payoff;  // of guesses from earlier text, and of a draft model's
  void note_drafts(int n_checked, int n_true);

  // Takes a token that goes on, with its bytes; the text may contain a stop string: then it
  // finishes.
  void append(int32_t token, std::string_view bytes, std::optional<TokenLogprobs> logprobs = {});
  // Lets out held-back text, unless a stop string ended it.
  void finish(Finish how);
  void fail(Error error);
  std::optional<Clock::time_point> deadline() const { return deadline_; }

  Output take_output() { return std::exchange(output_, {}); }

 private:
  void note_end();

  RequestId id_;
  Request request_;
  int n_prompt_;
  int64_t admission_ = -1;
  EmbeddingUse embeddings_;
  std::vector<int32_t> tokens_, keys_, words_;
  PageTable pages_;
  int n_cached_ = 0;
  Utf8Stream characters_;
  StopStrings stops_;
  Output output_;
  int n_reused_ = 0, n_drafts_ = 0, n_true_drafts_ = 0;
  Arrival arrival_;
  std::optional<Clock::time_point> deadline_;
  Clock::time_point started_{}, first_token_{};
};

}  // namespace quern
