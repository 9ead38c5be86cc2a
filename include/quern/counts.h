// What a model has done and is doing, for whoever watches over a server.
#pragma once
#include <cstdint>

namespace quern {

struct EngineCounts {
  // Since the model was loaded.
  int64_t n_steps = 0, n_rows = 0;          // forward passes and their rows (tokens)
  int64_t n_preempted = 0;                  // times a sequence lost its pages
  int64_t n_cached_tokens = 0;              // prompt tokens that were not computed again
  int64_t n_drafts = 0, n_true_drafts = 0;  // draft tokens checked; that were right
  int64_t n_model_drafts = 0, n_true_model_drafts = 0;  // of which a draft model's
  int64_t n_prefix_hits = 0;  // answers whose prompt began with cached tokens
  int64_t n_answers = 0;      // that have ended, in whatever way
  int64_t n_generated = 0;    // tokens of answers

  // Now.
  int64_t n_running = 0, n_waiting = 0;  // answers that have begun; that wait for their first row
  int64_t n_pages = 0;                   // of the cache of keys and values, all groups together
  int64_t n_used_pages = 0;              // of which running answers hold
  int64_t n_cached_pages = 0;  // of which only the prefix cache holds: free when they are needed
};

}  // namespace quern
