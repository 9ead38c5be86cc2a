#include "engine/engine.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

// Finished sequences whose cache is kept. Their pages are free for the asking; the number only
// bounds the search.
constexpr size_t kKeptPrefixes = 64;

// Memory for the logits of one scoring pass: 4096 tokens of a vocabulary of 65,536.
constexpr int64_t kScoreLogitBytes = int64_t{1} << 30;

}  // namespace

Engine::Engine(Executor& executor, EngineOptions options)
    : executor_(executor),
      options_(std::move(options)),
      pool_(executor.n_pages()),
      kept_(kKeptPrefixes) {
  CHECK(options_.token_bytes, "the engine needs the tokens' bytes");
  const int64_t capacity = int64_t{executor.n_pages()} * executor.page_tokens();
  context_ = static_cast<int>(std::min<int64_t>(capacity, INT32_MAX));
  if (options_.context > 0) context_ = std::min(context_, options_.context);
  limits_ = {.rows_per_step = executor.max_rows(),
             .prompt_rows_beside_streams = options_.prompt_rows_beside_streams,
             .sequences = std::min(options_.max_sequences, executor.max_rows()),
             .page_tokens = executor.page_tokens()};
}

Result<> Engine::check_tokens(std::span<const int32_t> tokens) const {
  if (tokens.empty()) {
    return Error{Code::invalid_argument, "the prompt is empty", "", "give at least one token"};
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < executor_.n_vocab()) continue;
    return Error{Code::invalid_argument,
                 "token id " + std::to_string(tokens[i]) + " is not in the vocabulary of " +
                     std::to_string(executor_.n_vocab()),
                 "token " + std::to_string(i), ""};
  }
  if (tokens.size() > static_cast<size_t>(context_)) {
    return Error{Code::out_of_memory,
                 "the prompt has " + std::to_string(tokens.size()) + " tokens, the context holds " +
                     std::to_string(context_),
                 "", "shorten it, or load the model with a larger context"};
  }
  return Ok{};
}

Result<> Engine::check(const Request& request) const {
  TRY_OK(check_options(request.options.sampling));
  if (request.options.max_tokens < -1) {
    return Error{
        Code::invalid_argument,
        "max_tokens is " + std::to_string(request.options.max_tokens) + ", must be at least -1", "",
        "-1 generates until the model stops"};
  }
  return check_tokens(request.prompt);
}

Result<RequestId> Engine::submit(Request request) {
  TRY_OK(check(request));
  const RequestId id = next_id_++;
  PageTable pages(pool_, limits_.page_tokens);
  const int n_reused = kept_.take(request.prompt, pages);
  auto sequence = std::make_unique<Sequence>(id, std::move(request), std::move(pages));
  sequence->reuse(n_reused);
  sequences_.emplace(id, std::move(sequence));
  return id;
}

int Engine::step() {
  const Plan chosen = plan();
  if (chosen.rows.empty()) return 0;
  for (const RequestId id : chosen.preempted) sequence(id).lose_cache();
  n_preempted_ += static_cast<int64_t>(chosen.preempted.size());
  fill_batch(chosen);
  const size_t n_vocab = executor_.n_vocab();
  logits_.resize(used_.size() * n_vocab);
  const Result<> outcome = executor_.forward({tokens_, chunks_, used_}, logits_);
  size_t n_sampled = 0;
  for (const Plan::Share& share : chosen.rows) {
    Sequence& s = sequence(share.id);
    if (!outcome) {  // its pages are undefined now
      s.fail(outcome.error());
      s.lose_cache();
      continue;
    }
    s.computed(share.n_rows);
    if (s.n_pending() > 0) continue;
    take_token(s, std::span(logits_).subspan(n_vocab * n_sampled++, n_vocab));
    if (!s.live()) retire(s);
  }
  return static_cast<int>(tokens_.size());
}

Plan Engine::plan() {
  views_.clear();
  for (const auto& [id, s] : sequences_) {
    if (!s->live()) continue;
    views_.push_back({id, s->priority(), id, s->n_pending(), s->n_cached(), s->generating()});
  }
  return next(views_, n_free_pages(), limits_);
}

// Logits are wanted where a sequence will have nothing pending. Generated tokens that a preempted
// sequence computes again keep their role, and so their bits.
void Engine::fill_batch(const Plan& chosen) {
  tokens_.clear();
  used_.clear();
  chunks_.clear();
  for (const Plan::Share& share : chosen.rows) {
    Sequence& s = sequence(share.id);
    s.started();
    reserve(s.pages(), s.n_cached() + share.n_rows);
    const int first_row = static_cast<int>(tokens_.size());
    chunks_.push_back({.first_row = first_row,
                       .n_rows = share.n_rows,
                       .position = s.n_cached(),
                       .pages = s.pages().pages(),
                       .n_used = s.n_used(share.n_rows)});
    const auto pending = s.tokens().subspan(s.n_cached(), share.n_rows);
    tokens_.insert(tokens_.end(), pending.begin(), pending.end());
    if (share.n_rows == s.n_pending()) used_.push_back(static_cast<int32_t>(tokens_.size()) - 1);
  }
}

void Engine::take_token(Sequence& s, std::span<float> logits) {
  const GenerateOptions& o = s.options();
  if (o.max_tokens == 0) return s.finish(Finish::length);
  const auto token = sample(o.sampling, logits, s.tokens(), s.n_generated(), scratch_);
  if (!token) return s.fail(token.error());
  const auto& ends = options_.end_ids;
  if (!o.ignore_eos && std::find(ends.begin(), ends.end(), *token) != ends.end()) {
    return s.finish(Finish::stop);
  }
  s.append(*token, options_.token_bytes(*token));
  if (!s.live()) return;
  // A token beyond the context has nowhere to be computed.
  if (s.n_generated() == o.max_tokens || s.n_tokens() > context_) s.finish(Finish::length);
}

void Engine::reserve(PageTable& pages, int n_tokens) {
  while (pool_.n_free() < pages.missing(n_tokens) && kept_.drop_oldest()) {
  }
  pages.grow(n_tokens);
}

void Engine::retire(Sequence& s) {
  const auto cached = s.tokens().first(s.n_cached());
  kept_.keep({{cached.begin(), cached.end()}, std::move(s.pages())});
}

void Engine::cancel(RequestId id) {
  const auto at = sequences_.find(id);
  if (at == sequences_.end() || !at->second->live()) return;
  at->second->finish(Finish::cancelled);
  retire(*at->second);
}

Output Engine::take(RequestId id) {
  Output output = sequence(id).take_output();
  if (output.finished()) sequences_.erase(id);
  return output;
}

void Engine::drop(RequestId id) {
  cancel(id);
  sequences_.erase(id);
}

Result<> Engine::score(std::span<const int32_t> tokens, int chunk,
                       const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                       int64_t n_prompt) {
  TRY_OK(check_tokens(tokens));
  if (n_prompt < 0 || n_prompt > std::ssize(tokens)) {
    return Error{Code::invalid_argument,
                 "a prompt of " + std::to_string(n_prompt) + " of " +
                     std::to_string(tokens.size()) + " tokens",
                 "", "choose 0 to the number of tokens"};
  }
  if (chunk < 0) {
    return Error{Code::invalid_argument, "chunk is " + std::to_string(chunk) + ", must be positive",
                 "", "0 takes as many tokens as fit"};
  }
  const size_t n_vocab = executor_.n_vocab();
  int rows = static_cast<int>(
      std::clamp<int64_t>(kScoreLogitBytes / (4 * n_vocab), 1, executor_.max_rows()));
  if (chunk > 0) rows = std::min(rows, chunk);

  const int n_tokens = static_cast<int>(tokens.size());
  rows = std::min(rows, n_tokens);
  PageTable pages(pool_, limits_.page_tokens);
  for (auto last = sequences_.rbegin();
       n_free_pages() < pages.missing(n_tokens) && last != sequences_.rend(); ++last) {
    last->second->lose_cache();
  }
  reserve(pages, n_tokens);
  std::vector<float> logits(n_vocab * rows);
  std::vector<int32_t> used;
  for (int done = 0; done < n_tokens;) {
    const int n = std::min(rows, n_tokens - done);
    const int first_used = static_cast<int>(std::clamp<int64_t>(n_prompt - 1 - done, 0, n));
    used.resize(n - first_used);
    std::iota(used.begin(), used.end(), first_used);
    const Chunk whole = {.first_row = 0,
                         .n_rows = n,
                         .position = done,
                         .pages = pages.pages(),
                         .n_used = n - first_used};
    TRY_OK(executor_.forward({tokens.subspan(done, n), std::span(&whole, 1), used},
                             std::span(logits).first(n_vocab * used.size())));
    for (size_t i = 0; i < used.size(); ++i) {
      if (!on_logits(done + used[i], std::span(logits).subspan(n_vocab * i, n_vocab)))
        return Error{Code::cancelled, "scoring was stopped", "", ""};
    }
    done += n;
  }
  return Ok{};
}

}  // namespace quern
