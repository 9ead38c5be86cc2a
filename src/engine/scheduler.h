// Which rows the next step computes. A pure function of host state: no clock, no model, no device.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cache_group.h"

namespace quern {

using SequenceId = int64_t;

struct SequenceView {
  SequenceId id;
  int priority;            // larger first
  int64_t arrival;         // order of arrival, unique
  int64_t admission = -1;  // order in which it first got rows, unique; -1: it never had any
  int64_t served = 0;      // rows its client has had so far; see FairShares
  int n_pending = 1;       // tokens not yet computed: what is left of the prompt, or 1 when
                           // generating (more where a grammar forces the next ones)
  int n_cached = 0;        // tokens in the cache, reused ones included
  int n_extra = 0;         // rows it would like beyond those: drafts to check
  bool generating = false;
  bool paused = false;  // takes no rows, since its reader is behind; may be preempted
  // It holds, by group, lists equally long; one that is shared stands in several views.
  PageLists pages;
  bool has_state = false;  // it holds a slot of a recurrent state
};

struct Limits {
  int rows_per_step;  // bounds the time of a step, and with it the wait of running streams
  // Prompt rows allowed in a step that also has generating sequences; rows beyond one of those come
  // off it. 0: this step has none, and what is said below of prompts holds for the other steps.
  int prompt_rows_beside_streams;
  int sequences;  // that take part in one step; at most rows_per_step
  int page_tokens;
  int n_groups = 1;
  std::array<int, kMaxCacheGroups> windows{};  // by group, in tokens; 0: rows see all
  bool states = false;                         // a sequence that computes needs a slot of a state
};

// What is free, or kept by nobody but the prefix tree.
struct FreeCache {
  FreeCache(int pages_of_one_group) { pages[0] = pages_of_one_group; }
  FreeCache(const std::array<int, kMaxCacheGroups>& by_group, int n_states)
      : pages(by_group), states(n_states) {}
  std::array<int, kMaxCacheGroups> pages{};  // by group
  int states = 0;                            // slots
};

struct Plan {
  struct Share {
    SequenceId id;
    int n_rows;  // its next n_rows pending tokens; of a generating one perhaps with drafts behind
  };
  std::vector<Share>
      rows;  // generating sequences first, by rank, then prompts, as they were served
  std::vector<SequenceId>
      preempted;  // lowest rank first; their pages are let go, their tokens kept
};

// Rank decides who keeps pages and takes part: larger priority first, then who was admitted first,
// then who waits (less served clients first, then by arrival); paused ones are last. Only the first
// `limits.sequences` by rank take part.
// Turn decides which prompt gets a step's prompt rows first: larger priority, less served client,
// arrival. So a client that asks for much waits for one that asks for little, prompt by prompt.
//
// Never starves: the first by rank gets rows in every step, so a sequence waits at most until those
//   ahead of it have finished; a prompt that waits for pages is overtaken only by those admitted
//   before it.
// Never over-commits: the pages of each group and the slots that its rows need are free after the
//   preemptions it names.
// Preempts only for a sequence of higher rank, and the lowest first. A prompt starts only when all
//   of it fits beside what runs ahead of it and will still grow: what was preempted does not come
//   back only to be thrown out again.
// The caller promises that no sequence alone needs more than there is: of a group with a window at
// most window_pages(); and that pages out of a window were given back.
Plan next(std::span<const SequenceView> sequences, const FreeCache& free, const Limits& limits);

}  // namespace quern
