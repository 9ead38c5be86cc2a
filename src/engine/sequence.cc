#include "engine/sequence.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

Sequence::Sequence(RequestId id, Request request, Sampler its_sampler, PageTable pages,
                   Arrival arrival, EmbeddingRows& rows, int width)
    : sampler(std::move(its_sampler)),
      text_payoff(kMostDrafts),
      model_payoff(kMostDrafts),
      id_(id),
      request_(std::move(request)),
      n_prompt_(static_cast<int>(request_.prompt.size())),
      tokens_(std::move(request_.prompt)),
      pages_(std::move(pages)),
      stops_(request_.options.stop, request_.stop_tokens),
      arrival_(std::move(arrival)) {
  if (!request_.embeddings.empty()) {
    embeddings_.intern(rows, request_.embeddings, width, tokens_);
    request_.embeddings = {};
    std::ranges::copy_if(tokens_, std::back_inserter(words_),
                         [](int32_t token) { return !is_embedding(token); });
  }
  for (const int32_t token : tokens_) keys_.push_back(key_of(token, Role::prompt));
  keys_.back() = key_of(tokens_.back(), Role::used);  // its logits give the first token
  if (request_.constraint) constraint = request_.constraint();
  reasoning = std::move(request_.reasoning);
  if (request_.options.deadline_ms > 0)
    deadline_ = arrival_.time + std::chrono::milliseconds(request_.options.deadline_ms);
}

void Sequence::reuse(std::span<const int32_t> keys) {
  CHECK(keys.size() < keys_.size() && n_cached_ == 0, "something is left to compute");
  std::copy(keys.begin(), keys.end(), keys_.begin());
  n_cached_ = static_cast<int>(keys.size());
  if (started_ == Clock::time_point{}) n_reused_ = n_cached_;
}

void Sequence::lose_cache() {
  pages_.shrink(0);
  checkpoint = nullptr;
  n_cached_ = n_checkpoint = 0;
  looked_up = false;
  if (started_ == Clock::time_point{}) n_reused_ = 0;
}

void Sequence::forked(const Sequence& from) {
  std::copy_n(from.keys_.begin(), n_prompt_, keys_.begin());
  n_cached_ = n_reused_ = n_prompt_;
}

Sequence::Rows Sequence::rows(int n_rows) const {
  const auto begin = keys_.begin() + n_cached_, end = begin + std::min(n_rows, n_pending());
  const auto used = std::find_if(begin, end, is_used);
  const auto last = std::find_if_not(used, end, is_used);
  return {.n = static_cast<int>(last - begin), .n_used = static_cast<int>(last - used)};
}

void Sequence::start(int64_t admission) {
  if (started_ != Clock::time_point{}) return;
  started_ = Clock::now();
  admission_ = admission;
  arrival_.place.release();
}

void Sequence::note_drafts(int n_checked, int n_true) {
  n_drafts_ += n_checked;
  n_true_drafts_ += n_true;
  (drafts_by_model ? model_payoff : text_payoff).note(n_checked, n_true);
  if (live()) return;  // a control token ended it
  output_.timings.draft_n = n_drafts_;
  output_.timings.draft_true_n = n_true_drafts_;
}

void Sequence::append(int32_t token, std::string_view bytes,
                      std::optional<TokenLogprobs> logprobs) {
  if (n_generated() == 0) first_token_ = Clock::now();
  tokens_.push_back(token);
  if (embeddings_.any()) words_.push_back(token);
  keys_.push_back(key_of(token, Role::used));
  output_.ids.push_back(token);
  if (logprobs) output_.logprobs.push_back(std::move(*logprobs));
  // Control tokens have no text.
  const StopStrings::Step step =
      bytes.empty() ? stops_.push_token(token) : stops_.push(characters_.push(bytes));
  if (reasoning) reasoning->accept(token, !characters_.pending());
  output_.text += step.text;
  if (!step.stop) return;
  output_.finish = Finish::stop;
  note_end();
}

void Sequence::finish(Finish how) {
  const StopStrings::Step step = stops_.push(characters_.flush());
  output_.text += step.text;
  if (!step.stop) output_.text += stops_.flush();
  output_.finish = step.stop ? Finish::stop : how;
  note_end();
}

void Sequence::fail(Error error) {
  output_.error = std::move(error);
  note_end();
}

void Sequence::note_end() {
  Timings& t = output_.timings;
  t.prompt_n = n_prompt_ - n_reused_;
  t.cached_n = n_reused_;
  t.predicted_n = n_generated();
  t.draft_n = n_drafts_;
  t.draft_true_n = n_true_drafts_;
  arrival_.place.release();
  const auto now = Clock::now();
  const bool began = started_ != Clock::time_point{}, any = n_generated() > 0;
  t.queue_ms = milliseconds((began ? started_ : now) - arrival_.time);
  if (!began) return;
  t.first_token_ms = any ? milliseconds(first_token_ - arrival_.time) : 0;
  t.prompt_ms = milliseconds((any ? first_token_ : now) - started_);
  t.predicted_ms = any ? milliseconds(now - first_token_) : 0;
  t.per_token_ms = n_generated() > 1 ? t.predicted_ms / (n_generated() - 1) : 0;
}

}  // namespace quern
