// One step of the engine: who takes part, what they compute, what they make of it.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "engine/engine.h"

namespace quern {

int Engine::step() {
  end_overdue();
  look_up_prefixes();
  const Plan chosen = plan();
  for (const RequestId id : chosen.preempted) lose_cache(sequence(id));
  counts_.n_preempted += static_cast<int64_t>(chosen.preempted.size());
  if (chosen.rows.empty()) return 0;
  fill_batch(chosen);
  begin_masks();
  const Result<> outcome = forward(chosen);
  auto masks = masks_.wait();
  auto mask = masks.begin();
  size_t at = 0;
  for (const Row& row : rows_) {
    Sequence& s = *row.sequence;
    if (!outcome) {
      if (row.spare >= 0) pools_.release_state(row.spare);
      fail(s, outcome.error());
      continue;
    }
    const auto n_drafts = static_cast<int>(s.drafts.size());
    const int n_before = s.n_cached();
    s.computed(row.n_rows - n_drafts);
    if (row.n_logits == 0) {
      prefixes_.share(s.options().cache_salt, s.keys().first(s.n_cached()), s.pages());
      take_checkpoint(s);
      s.pages().give_back(s.n_cached());
      continue;
    }
    if (s.constraint) {
      if (!mask->outcome) s.fail(mask->outcome.error());
      mask_ = std::move((mask++)->bits);
    }
    if (s.live()) take_tokens(s, at, row.n_logits);
    at += row.n_logits;
    settle_state(row, n_before);
    if (s.live()) {
      // What the answer gives back would be missing where the prompt ends.
      if (pools_.any_window() && n_before < s.n_prompt())
        prefixes_.share(s.options().cache_salt, s.keys().first(s.n_cached()), s.pages());
      take_checkpoint(s);
      s.pages().give_back(s.n_cached());
    } else {
      retire(s);
    }
  }
  prefixes_.save(1);  // a copy of its bytes: little beside a pass
  return static_cast<int>(tokens_.size());
}

void Engine::end_overdue() {
  if (!next_deadline()) return;
  const auto now = Sequence::Clock::now();
  for (const auto& [id, s] : sequences_) {
    if (!s->live() || !s->deadline() || *s->deadline() > now) continue;
    s->finish(Finish::deadline);
    retire(*s);
  }
}

// For those that may begin now: those behind them may find more when their time comes.
void Engine::look_up_prefixes() {
  std::vector<Sequence*> waiting;
  int n_running = 0;
  for (const auto& [id, s] : sequences_) {
    if (!s->live() || s->paused || s->leader >= 0) continue;
    if (s->n_cached() > 0) {
      ++n_running;
    } else if (!s->looked_up) {
      waiting.push_back(s.get());
    }
  }
  const auto n = std::min<size_t>(waiting.size(), std::max(limits_.sequences - n_running, 0));
  std::partial_sort(waiting.begin(), waiting.begin() + n, waiting.end(),
                    [&](const Sequence* a, const Sequence* b) {
                      const auto turn = [&](const Sequence& s) {
                        return std::make_tuple(-int64_t{s.options().priority},
                                               shares_.served(s.options().client), s.id());
                      };
                      return turn(*a) < turn(*b);
                    });
  for (Sequence* s : std::span(waiting).first(n)) {
    s->looked_up = true;
    // What was computed before must come back in the same bits: after preemption as well.
    const bool exact = options_.deterministic || s->admission() >= 0;
    std::vector<int32_t> found;
    prefixes_.take(s->options().cache_salt, s->keys(), s->n_tokens() - 1, s->pages(),
                   exact ? KeyMatch::exact : KeyMatch::token, &found);
    if (s->admission() < 0) {
      counts_.n_cached_tokens += static_cast<int64_t>(found.size());
      counts_.n_prefix_hits += !found.empty();
    }
    s->reuse(found);
  }
}

int Engine::n_streams() const {
  const auto n = std::count_if(sequences_.begin(), sequences_.end(), [](const auto& one) {
    const Sequence& s = *one.second;
    return s.takes_part() && s.generating() && !s.paused;
  });
  return std::min(static_cast<int>(n), limits_.sequences);
}

// As far as a step has room for them beside the streams.
Pace::Prompts Engine::waiting_prompts(int n_streams) const {
  Pace::Prompts prompts;
  for (const auto& [id, s] : sequences_) {
    if (!s->takes_part() || s->generating() || s->paused) continue;
    prompts.n = std::min(prompts.n + 1, std::max(limits_.sequences - n_streams, 1));
    prompts.n_rows = std::min(prompts.n_rows + s->n_pending(), limits_.rows_per_step);
  }
  return prompts;
}

Plan Engine::plan() {
  const int n_running = n_streams();
  const double spent = read_drafts(n_running);
  if (n_running > 0 && !options_.always_guess)
    limits_.prompt_rows_beside_streams = pace_.rows(n_running, waiting_prompts(n_running), spent);
  guess(n_running);
  views_.clear();
  for (const auto& [id, s] : sequences_) {
    if (!s->takes_part()) continue;
    views_.push_back({.id = id,
                      .priority = s->options().priority,
                      .arrival = id,
                      .admission = s->admission(),
                      .served = shares_.served(s->options().client),
                      .n_pending = s->n_pending(),
                      .n_cached = s->n_cached(),
                      .n_extra = static_cast<int>(s->drafts.size()),
                      .generating = s->generating(),
                      .paused = s->paused,
                      .pages = s->pages().lists(),
                      .has_state = s->pages().state() >= 0});
  }
  FreeCache free({}, pools_.n_free_states());
  for (int group = 0; group < pools_.n_groups(); ++group) free.pages[group] = n_free_pages(group);
  return next(views_, free, limits_);
}

// Logits are wanted where a sequence will have nothing pending.
void Engine::fill_batch(const Plan& chosen) {
  tokens_.clear();
  embeddings_.clear();
  used_.clear();
  chunks_.clear();
  rows_.clear();
  for (const Plan::Share& share : chosen.rows) load_state(sequence(share.id).pages());
  for (const Plan::Share& share : chosen.rows) {
    Sequence& s = sequence(share.id);
    s.start(n_admitted_++);
    const int most = std::min(share.n_rows, rows_to_checkpoint(s));
    const Sequence::Rows pending = s.rows(most);
    const bool to_the_end = pending.n == s.n_pending();
    s.drafts.resize(to_the_end ? std::min<size_t>(s.drafts.size(), most - pending.n) : 0);
    const int32_t spare = spare_state(s);
    const auto n_drafts = static_cast<int>(s.drafts.size());
    const Row row = {&s, pending.n + n_drafts, to_the_end ? 1 + n_drafts : 0, spare};
    reserve(s.pages(), s.n_cached() + row.n_rows);
    chunks_.push_back({.first_row = static_cast<int>(tokens_.size()),
                       .n_rows = row.n_rows,
                       .position = s.n_cached(),
                       .pages = s.pages().lists(),
                       .n_used = pending.n_used + n_drafts,
                       .state = s.pages().state()});
    const auto tokens = s.tokens().subspan(s.n_cached(), pending.n);
    for (const int32_t token : tokens) add_row(token);
    tokens_.insert(tokens_.end(), s.drafts.begin(), s.drafts.end());
    for (int i = row.n_logits; i > 0; --i)
      used_.push_back(static_cast<int32_t>(tokens_.size()) - i);
    shares_.add(s.options().client, row.n_rows);
    rows_.push_back(row);
  }
}

void Engine::add_row(int32_t token) {
  if (!is_embedding(token)) return tokens_.push_back(token);
  const auto row = embedding_rows_[embedding_row(token)];
  tokens_.push_back(embedding_token(static_cast<int32_t>(embeddings_.size() / row.size())));
  embeddings_.insert(embeddings_.end(), row.begin(), row.end());
}

void Engine::begin_masks() {
  std::vector<MaskThread::Job> jobs;
  for (const Row& row : rows_) {
    if (row.n_logits > 0 && row.sequence->constraint)
      jobs.push_back({row.sequence->constraint.get(), std::vector<uint32_t>(mask_words())});
  }
  masks_.begin(std::move(jobs));
}

Result<> Engine::forward(const Plan& chosen) {
  const size_t n_vocab = executor_.n_vocab();
  logits_.resize(used_.size() * n_vocab);
  int n_streams = 0, n_drafts = 0, n_prompt_rows = 0;
  for (const Row& row : rows_) {
    const bool stream = row.sequence->generating();
    n_streams += stream;
    (stream ? n_drafts : n_prompt_rows) += row.n_rows - stream;
  }
  const auto began = Sequence::Clock::now();
  const Result<> outcome = executor_.forward({tokens_, chunks_, used_, embeddings_}, logits_);
  const std::chrono::duration<double> took = Sequence::Clock::now() - began;
  if (n_streams > 0) {
    pace_.note({.n_streams = n_streams, .n_prompt_rows = n_prompt_rows, .n_drafts = n_drafts},
               took.count());
  }
  ++counts_.n_steps;
  counts_.n_rows += static_cast<int64_t>(tokens_.size());
  CHECK(rows_.size() == chosen.rows.size(), "everyone who was chosen has rows");
  return outcome;
}

// The first logits are those of the last pending token, each further one those of a draft, which
// count while the drafts are what would have come anyway.
void Engine::take_tokens(Sequence& s, size_t first_logits, int n_logits) {
  const size_t n_vocab = executor_.n_vocab();
  const auto logits_of = [&](int i) {
    return std::span(logits_).subspan(n_vocab * (first_logits + i), n_vocab);
  };
  release_followers(s, logits_of(0));
  int n_true = 0;
  for (int i = 0;; ++i) {
    if (i > 0 && s.constraint && !refresh_mask(s)) break;
    if (!take_token(s, logits_of(i),
                    s.constraint ? std::span<const uint32_t>(mask_) : std::span<const uint32_t>()))
      break;
    if (i == n_logits - 1 || s.drafts[i] != s.tokens().back()) break;
    s.computed(1);  // its row is that of the draft
    ++n_true;
  }
  if (n_logits > 1) note_drafts(s, n_logits - 1, n_true);
  if (s.live()) take_forced(s);
  ngrams_.learn(s.options().cache_salt, s.history(), s.n_learned);
  s.n_learned = static_cast<int>(s.history().size());
}

bool Engine::refresh_mask(Sequence& s) {
  const auto outcome = s.constraint->mask(mask_);
  if (!outcome) s.fail(outcome.error());
  return static_cast<bool>(outcome);
}

// Where the reasoning budget is spent, the only token allowed, if `mask` allows it too.
std::span<const uint32_t> Engine::within_budget(const Sequence& s, std::span<const uint32_t> mask) {
  const auto forced = s.reasoning ? s.reasoning->forced() : std::nullopt;
  if (!forced) return mask;
  const size_t word = *forced / 32;
  const uint32_t bit = 1u << (*forced % 32);
  if (!mask.empty() && (mask[word] & bit) == 0) return mask;
  only_one_.assign(mask_words(), 0);
  only_one_[word] = bit;
  return only_one_;
}

// Returns whether the sequence goes on behind its new token.
bool Engine::take_token(Sequence& s, std::span<float> logits, std::span<const uint32_t> mask) {
  if (s.options().max_tokens == 0) return s.finish(Finish::length), false;
  const auto sampled =
      s.sampler.sample(logits, s.history(), s.n_prompt_history(), within_budget(s, mask), scratch_);
  if (!sampled) return s.fail(sampled.error()), false;
  if (ends(s, sampled->id)) return s.finish(Finish::stop), false;
  s.sampler.accept(*sampled);
  std::optional<TokenLogprobs> logprobs;
  if (s.options().sampling.n_probs >= 0) logprobs = {sampled->id, sampled->logprob, sampled->top};
  return append(s, sampled->id, std::move(logprobs));
}

// Nothing is sampled where only one text is possible. Not where its probabilities are wanted: they
// take logits.
void Engine::take_forced(Sequence& s) {
  if (!s.constraint || s.options().sampling.n_probs >= 0) return;
  const auto forced = s.constraint->forced();
  const size_t n = std::min<size_t>(forced.size(), Sequence::kMostForced - 1);
  for (size_t i = 0; i < n; ++i) {
    if (ends(s, forced[i])) return;  // it is sampled, and ends the answer
    if (!append(s, forced[i], {})) return;
  }
}

bool Engine::append(Sequence& s, int32_t token, std::optional<TokenLogprobs> logprobs) {
  s.append(token, options_.token_bytes(token), std::move(logprobs));
  ++counts_.n_generated;
  if (!s.live()) return false;
  if (s.constraint) {
    if (const auto outcome = s.constraint->consume(token); !outcome)
      return s.fail(outcome.error()), false;
    if (s.constraint->over()) return s.finish(Finish::stop), false;
  }
  // A token beyond the context has nowhere to be computed.
  if (s.n_generated() < s.most_new() && s.n_tokens() <= context_) return true;
  return s.finish(Finish::length), false;
}

bool Engine::ends(const Sequence& s, int32_t token) const {
  const auto& own = s.options().stop_ids;
  if (std::find(own.begin(), own.end(), token) != own.end()) return true;
  const auto& all = options_.end_ids;
  return !s.options().ignore_eos && std::find(all.begin(), all.end(), token) != all.end();
}

// The prompt is computed: those that share it begin with its pages and logits.
void Engine::release_followers(Sequence& leader, std::span<const float> logits) {
  if (leader.n_generated() > 0 || leader.options().n == 1) return;
  prefixes_.share(leader.options().cache_salt, leader.keys().first(leader.n_cached()),
                  leader.pages());
  for (RequestId id = leader.id() + 1; sequences_.contains(id); ++id) {
    Sequence& s = sequence(id);
    if (s.leader != leader.id()) break;
    s.leader = -1;
    if (!s.live() || !fork(leader, s)) continue;
    s.start(n_admitted_++);
    std::vector<float> own(logits.begin(), logits.end());
    if (s.constraint) {
      mask_.resize(mask_words());
      if (!refresh_mask(s)) continue;
    }
    take_token(s, own,
               s.constraint ? std::span<const uint32_t>(mask_) : std::span<const uint32_t>());
    if (!s.live()) retire(s);
  }
}

}  // namespace quern
