// Which rows the next step computes. A pure function of host state: no clock, no model, no device.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

using SequenceId = int64_t;

struct SequenceView {
  SequenceId id;
  int priority;     // larger first
  int64_t arrival;  // order of arrival, unique
  int n_pending;    // tokens not yet computed, at least 1: what is left of the prompt, or 1 when
                    // generating
  int n_cached;     // tokens in the cache, reused ones included; they fill
                    // ceil(n_cached / page_tokens) pages of its own
  bool generating;
};

struct Limits {
  int rows_per_step;  // bounds the time of a step, and with it the wait of running streams
  int prompt_rows_beside_streams;  // prompt rows allowed in a step that also has generating
                                   // sequences
  int sequences;                   // that take part in one step; at most rows_per_step
  int page_tokens;
};

struct Plan {
  struct Share {
    SequenceId id;
    int n_rows;  // its next n_rows pending tokens
  };
  std::vector<Share> rows;  // generating sequences first, then prompts, each in order of rank
  std::vector<SequenceId> preempted;  // lowest rank first; their pages are freed, their tokens kept
};

// Rank is (priority, arrival): larger priority first, then who came first. Only the first
// `limits.sequences` by rank take part.
//
// Never starves: the first by rank gets rows in every step, so a sequence waits at most until those
//   ahead of it have finished.
// Never over-commits: the pages its rows need are free after the preemptions it names.
// Preempts only for a sequence of higher rank, and the lowest first. A prompt starts only when all
//   of it fits beside what runs ahead of it, with a page to grow for each: what was preempted does
//   not come back only to be thrown out again.
// The caller promises that no sequence alone needs more pages than there are.
Plan next(std::span<const SequenceView> sequences, int n_free_pages, const Limits& limits);

}  // namespace quern
