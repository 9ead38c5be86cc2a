// How requests come in, end and are forgotten; engine_step.cc has what happens between.
#include "engine/engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "engine/sample/check_options.h"
#include "engine/sample/random.h"
#include "options/check.h"

namespace quern {
Engine::Engine(Executor& executor, EngineOptions options)
    : executor_(executor),
      options_(std::move(options)),
      pace_(options_.stretch, options_.prompt_rows_beside_streams),
      vocabulary_(executor.n_vocab(), options_.token_bytes),
      pools_(executor),
      prefixes_(pools_, executor, options_.most_idle_pages, options_.checkpoint_bytes),
      waiting_(std::make_shared<WaitingCount>(options_.max_waiting)) {
  CHECK(options_.token_bytes, "the engine needs the tokens' bytes");
  if (options_.draft) draft_.emplace(*options_.draft, executor.n_vocab(), options_.draft_context);
  prefixes_.use(options_.store.get());
  prefixes_.use(&embedding_rows_);
  context_ = max_context(executor);
  if (options_.context > 0) context_ = std::min(context_, options_.context);
  limits_ = {.rows_per_step = executor.max_rows(),
             .prompt_rows_beside_streams = options_.prompt_rows_beside_streams,
             .sequences = std::min(options_.max_sequences, executor.max_rows()),
             .page_tokens = executor.page_tokens(),
             .n_groups = pools_.n_groups(),
             .states = pools_.has_states()};
  for (int group = 0; group < pools_.n_groups(); ++group) {
    const int window = limits_.windows[group] = executor.groups()[group].window;
    CHECK(window == 0 ||
              pools_[group].n_pages() >=
                  std::min(pools_.pages_for(context_),
                           window_pages(window, limits_.rows_per_step, limits_.page_tokens)),
          "a group with a window holds a sequence of any length");
  }
}

Result<> Engine::check_tokens(std::span<const int32_t> tokens, int64_t n_rows) const {
  if (tokens.empty()) {
    return Error{Code::invalid_argument, "the prompt is empty", "", "give at least one token"};
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 ? tokens[i] < executor_.n_vocab() : -1 - int64_t{tokens[i]} < n_rows)
      continue;
    if (is_embedding(tokens[i]) && n_rows > 0) {
      return Error{Code::invalid_argument,
                   "row " + std::to_string(-1 - int64_t{tokens[i]}) + " of " +
                       std::to_string(n_rows) + " rows of embeddings",
                   "token " + std::to_string(i), ""};
    }
    return Error{Code::invalid_argument,
                 "token id " + std::to_string(tokens[i]) + " is not in the vocabulary of " +
                     std::to_string(executor_.n_vocab()),
                 "token " + std::to_string(i), ""};
  }
  if (tokens.size() > static_cast<size_t>(context_)) {
    return Error{Code::context_too_long,
                 "the prompt has " + std::to_string(tokens.size()) + " tokens, the context holds " +
                     std::to_string(context_),
                 "", "shorten it, or load the model with a larger context"};
  }
  return Ok{};
}

Result<> Engine::check(const Request& request) const {
  TRY_OK(options::check(request.options));
  TRY_OK(check_options(request.options.sampling, executor_.n_vocab()));
  TRY_OK(check_embeddings(request));
  const int width = std::max(executor_.width(), 1);
  return check_tokens(request.prompt, std::ssize(request.embeddings) / width);
}

Result<> Engine::check_embeddings(const Request& request) const {
  const auto refuse = [](Code code, const std::string& what, const char* fix = "") {
    return Error{code, what, "embeddings", fix};
  };
  const std::vector<float>& rows = request.embeddings;
  if (rows.empty()) return Ok{};
  if (!executor_.takes_embeddings())
    return refuse(Code::unsupported, "rows of embeddings in a prompt, on this device",
                  "give tokens alone");
  if (std::ssize(rows) % executor_.width() != 0) {
    return refuse(Code::invalid_argument, std::to_string(rows.size()) +
                                              " numbers are no whole rows of " +
                                              std::to_string(executor_.width()));
  }
  if (!std::ranges::all_of(rows, [](float x) { return std::isfinite(x); }))
    return refuse(Code::invalid_argument, "a number that is not finite", "look at what made it");
  if (!request.prompt.empty() && is_embedding(request.prompt.back()))
    return refuse(Code::invalid_argument, "a prompt that ends with a row of embeddings",
                  "end it with a token: its row gives the first logits");
  return Ok{};
}

Result<Submission> Engine::prepare(Request request) {
  TRY_OK(check(request));
  const int n = request.options.n;
  auto places = WaitingCount::take(waiting_, n);
  if (places.empty()) {
    return Error{Code::queue_full,
                 std::to_string(n_waiting()) + " answers wait already, the queue holds " +
                     std::to_string(options_.max_waiting),
                 "", "try again in a moment"};
  }
  return Submission{std::move(request), next_id_.fetch_add(n), Sequence::Clock::now(),
                    std::move(places)};
}

void Engine::add(Submission submission) {
  Request& request = submission.request;
  const int n = request.options.n;
  const SampleTokens tokens = vocabulary_.resolve(request.options.sampling);
  const uint64_t seed = drawn_seed(request.options.sampling.seed);
  for (int i = 0; i < n; ++i) {
    SamplingOptions sampling = request.options.sampling;
    sampling.seed = seed + static_cast<uint64_t>(i);
    shares_.enter(request.options.client);
    auto sequence = std::make_unique<Sequence>(
        submission.first + i, i + 1 < n ? request : std::move(request),
        Sampler(std::move(sampling), tokens, options_.end_ids, executor_.n_vocab()),
        PageTable(pools_),
        Sequence::Arrival{submission.time, std::move(submission.places[static_cast<size_t>(i)])},
        embedding_rows_, executor_.width());
    if (i > 0) sequence->leader = submission.first;
    sequences_.emplace(sequence->id(), std::move(sequence));
  }
}

EngineCounts Engine::counts() const {
  EngineCounts counts = counts_;
  counts.n_running = std::count_if(sequences_.begin(), sequences_.end(), [](const auto& one) {
    return one.second->live() && one.second->admission() >= 0;
  });
  counts.n_waiting = n_waiting();
  for (int group = 0; group < pools_.n_groups(); ++group) {
    counts.n_pages += pools_[group].n_pages();
    counts.n_cached_pages += prefixes_.n_evictable(group);
    counts.n_used_pages += pools_[group].n_pages() - n_free_pages(group);
  }
  return counts;
}

std::optional<Sequence::Clock::time_point> Engine::next_deadline() const {
  std::optional<Sequence::Clock::time_point> earliest;
  for (const auto& [id, s] : sequences_) {
    if (!s->live() || !s->deadline()) continue;
    earliest = earliest ? std::min(*earliest, *s->deadline()) : *s->deadline();
  }
  return earliest;
}

void Engine::reserve(PageTable& pages, int n_tokens) {
  prefixes_.make_room(pages.missing(n_tokens));
  pages.grow(n_tokens);
}

// What a preempted sequence had may still be there when it comes back.
void Engine::lose_cache(Sequence& s) {
  prefixes_.keep(s.options().cache_salt, s.keys().first(s.n_cached()), s.pages(), s.checkpoint,
                 s.n_checkpoint);
  s.lose_cache();
  if (draft_) draft_->forget(draft_text(s));
}

void Engine::retire(Sequence& s) {
  lose_cache(s);
  orphan_followers(s);
}

// Its pages are undefined now.
void Engine::fail(Sequence& s, const Error& error) {
  s.lose_cache();
  if (draft_) draft_->forget(draft_text(s));
  s.fail(error);
  orphan_followers(s);
}

// They read the prompt themselves.
void Engine::orphan_followers(const Sequence& leader) {
  for (auto at = sequences_.upper_bound(leader.id());
       at != sequences_.end() && at->second->leader == leader.id(); ++at)
    at->second->leader = -1;
}

// Shared pages are shared, its own (the last one; more after PrefixTree::clear) and the state are
// copied, where there is room: else it begins on its own.
bool Engine::fork(Sequence& from, Sequence& to) {
  const PageTable& source = from.pages();
  if (!prefixes_.make_room(source.n_entries() - source.n_shared())) return false;
  if (pools_.has_states() && pools_.n_free_states() == 0) return false;
  for (int i = 0; i < source.n_shared(); ++i) to.pages().add_shared(source.row(i));
  for (int i = source.n_shared(); i < source.n_entries(); ++i) {
    PageRow own = source.row(i);
    for (int group = 0; group < pools_.n_groups(); ++group) {
      if (own[group] == kAbsentPage) continue;
      const int32_t page = pools_[group].take();
      executor_.copy_page(group, std::exchange(own[group], page), page);
    }
    to.pages().add_own(own);
  }
  if (pools_.has_states()) {
    to.pages().take_state();
    executor_.copy_state(source.state(), to.pages().state());
  }
  to.forked(from);
  return true;
}

void Engine::cancel(RequestId id) {
  const auto at = sequences_.find(id);
  if (at == sequences_.end() || !at->second->live()) return;
  at->second->finish(Finish::cancelled);
  retire(*at->second);
}

void Engine::pause(RequestId id, bool paused) {
  const auto at = sequences_.find(id);
  if (at != sequences_.end()) at->second->paused = paused;
}

Output Engine::take(RequestId id) {
  Output output = sequence(id).take_output();
  if (output.finished()) forget(id);
  return output;
}

void Engine::drop(RequestId id) {
  cancel(id);
  if (sequences_.contains(id)) forget(id);
}

void Engine::forget(RequestId id) {
  ++counts_.n_answers;
  shares_.leave(sequence(id).options().client);
  sequences_.erase(id);
}

}  // namespace quern
