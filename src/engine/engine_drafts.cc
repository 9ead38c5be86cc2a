// Speculative decoding: the draft tokens of a step, and how many were accepted.
#include <algorithm>

#include "engine/engine.h"

namespace quern {

DraftModel::Text Engine::draft_text(const Sequence& s) const {
  return {s.id(), s.options().cache_salt, s.tokens()};
}

// Draft tokens that a step may verify, as the answer's remaining length allows.
int Engine::room_for_drafts(const Sequence& s) const {
  if (!s.options().speculate) return 0;
  return std::min({context_ - s.n_tokens(), s.most_new() - s.n_generated() - 1,
                   options_.most_drafts, Sequence::kMostDrafts});
}

// The draft model reads the prompts that are in prefill, and texts of which it lacks tokens.
// Streams that need nothing of it are delayed by at most half of what prompts may delay them.
// Returns the seconds that it took.
double Engine::read_drafts(int n_streams) {
  if (!draft_) return 0;
  std::vector<DraftModel::Text> behind;
  for (const auto& [id, s] : sequences_) {
    if (!s->takes_part() || s->paused || s->n_cached() == 0 || room_for_drafts(*s) <= 0) continue;
    if (s->has_embeddings()) continue;  // the draft model has rows of another width
    if (!s->wants_model || draft_->n_unread(draft_text(*s)) <= draft_->most_unread()) continue;
    behind.push_back(draft_text(*s));
    n_streams -= s->generating();
  }
  if (behind.empty()) return 0;
  const auto began = Sequence::Clock::now();
  const int n =
      draft_->read(behind, n_streams > 0 ? pace_.reading_rows(n_streams) : limits_.rows_per_step);
  const std::chrono::duration<double> took = Sequence::Clock::now() - began;
  if (n > 0) pace_.note_reading(n, took.count());
  return took.count();
}

// Fills the drafts of all sequences with the tokens that are worth verifying.
void Engine::guess(int n_streams) {
  std::vector<DraftModel::Wish> wishes;
  const bool plain = n_streams > 0 && !options_.always_guess && pace_.wants_plain_step(n_streams);
  for (const auto& [id, s] : sequences_) {
    s->drafts.clear();
    if (!plain && s->takes_part() && s->generating() && s->n_pending() == 1 && !s->paused)
      choose_drafts(*s, n_streams, wishes);
  }
  if (wishes.empty()) return;
  const auto began = Sequence::Clock::now();
  const int n = draft_->guess(wishes);
  const std::chrono::duration<double> took = Sequence::Clock::now() - began;
  if (n > 0) pace_.note_drafts(n, took.count());
}

// N-gram lookup is free, a draft model's tokens are available more often: the source that promises
// more tokens in the same time is used.
void Engine::choose_drafts(Sequence& s, int n_streams, std::vector<DraftModel::Wish>& wishes) {
  const int room = room_for_drafts(s);
  if (room <= 0) return;
  ngrams_.draft(s.options().cache_salt, s.history(), room, s.drafts);
  const auto offer = [&](Payoff& payoff, double cost, int available) {
    return options_.always_guess ? Payoff::Offer{available, available > 0 ? 2.0 : 1.0}
                                 : payoff.offer(cost, available);
  };
  const double check = pace_.draft_cost(n_streams);
  const auto text = offer(s.text_payoff, check, static_cast<int>(s.drafts.size()));
  s.drafts_by_model = false;
  const bool by_model = draft_ && !text.trial() && !s.has_embeddings();
  const int n_unread = by_model ? draft_->n_unread(draft_text(s)) : -1;
  if (n_unread > 0) {
    // At most as many as the step has rows.
    const int most = std::min(room, std::max(limits_.prompt_rows_beside_streams / n_streams, 1));
    const double cost = check + pace_.draft_model_cost(n_streams);
    Payoff::Offer model;
    if (n_unread <= draft_->most_unread()) {
      model = offer(s.model_payoff, cost, most);
      s.wants_model = model.n > 0;
    } else if (!s.wants_model) {
      s.wants_model = s.model_payoff.wants(cost, most);
    }
    s.drafts_by_model = model.rate > text.rate;
    if (s.drafts_by_model) wishes.push_back({draft_text(s), model.n, &s.drafts});
  }
  s.drafts.resize(s.drafts_by_model ? 0 : text.n);
}

void Engine::note_drafts(Sequence& s, int n_checked, int n_true) {
  s.note_drafts(n_checked, n_true);
  counts_.n_drafts += n_checked;
  counts_.n_true_drafts += n_true;
  if (!s.drafts_by_model) return;
  counts_.n_model_drafts += n_checked;
  counts_.n_true_model_drafts += n_true;
}

}  // namespace quern
