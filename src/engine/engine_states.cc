// Recurrent states: slots, checkpoints, and the way back when drafts were wrong.
#include <algorithm>
#include <memory>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"

namespace quern {

// Gives a sequence that computes its slot, with what the prefix tree found for it.
void Engine::load_state(PageTable& pages) {
  if (!pools_.has_states() || pages.state() >= 0) return;
  pages.take_state();
  if (pages.start) executor_.write_state(pages.state(), *pages.start);
  pages.start = nullptr;
}

// Rows that the sequence's next pass may have: it ends where a checkpoint is wanted.
int Engine::rows_to_checkpoint(const Sequence& s) const {
  if (!pools_.has_states()) return INT32_MAX;
  const int page = limits_.page_tokens, n = s.n_cached();
  const auto boundary_after = [n](int step) { return (n / step + 1) * step; };
  const int last_of_prompt = (s.n_tokens() - 1) / page * page;
  if (n >= last_of_prompt) return boundary_after(page) - n;
  const int step = std::max(options_.checkpoint_tokens / page, 1) * page;
  return std::min(last_of_prompt, boundary_after(step)) - n;
}

// At the end of a page: the sequence's own, for when it ends or is preempted. Those of a prompt and
// every checkpoint_tokens serve others from now on.
void Engine::take_checkpoint(Sequence& s) {
  const int page = limits_.page_tokens;
  if (!pools_.has_states() || s.n_cached() == 0 || s.n_cached() % page != 0) return;
  if (options_.checkpoint_bytes == 0) return;
  std::vector<std::byte> bytes(executor_.states().slot_bytes);
  executor_.read_state(s.pages().state(), bytes);
  s.checkpoint = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  s.n_checkpoint = s.n_cached();
  const int step = std::max(options_.checkpoint_tokens / page, 1) * page;
  const int last_of_prompt = (s.n_prompt() - 1) / page * page;
  if (s.n_cached() != last_of_prompt && s.n_cached() % step != 0) return;
  prefixes_.share(s.options().cache_salt, s.keys().first(s.n_cached()), s.pages(), s.checkpoint);
}

// Where drafts are verified, a copy of the state before them; without a free slot, no drafts.
int32_t Engine::spare_state(Sequence& s) {
  if (!pools_.has_states() || s.drafts.empty()) return -1;
  if (pools_.n_free_states() == 0) return s.drafts.clear(), -1;
  const int32_t spare = pools_.take_state();
  // A sequence without rows behind it starts anew in any slot.
  if (s.n_cached() > 0) executor_.copy_state(s.pages().state(), spare);
  return spare;
}

// A state that has seen a wrong draft token is of no use: the accepted ones are computed again, to
// the same bits.
void Engine::settle_state(const Row& row, int n_before) {
  if (row.spare < 0) return;
  Sequence& s = *row.sequence;
  const bool all_true = s.n_cached() == n_before + row.n_rows;
  if (all_true || !s.live()) return pools_.release_state(row.spare);
  pools_.release_state(s.pages().swap_state(row.spare));
  s.rewind(n_before);
}

}  // namespace quern
