// Options and results of a generation.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "quern/grammar.h"
#include "quern/sampling.h"

namespace quern {

// How long a model may reason before it answers: text between two marks.
struct ReasoningOptions {
  int budget = -1;  // tokens between the marks in total; then the end is forced. -1: no limit
  std::string start = "<think>", end = "</think>";  // as the model's vocabulary spells them
  std::string message;  // inserted before the end where the budget forces it
};

struct GenerateOptions {
  int max_tokens = -1;  // -1: until the model stops or the context is full
  SamplingOptions sampling;
  // Generation ends before the first of these; they may span tokens, must be UTF-8 and not empty.
  // Where one spells control tokens, which have no text, it is found with these tokens as well.
  std::vector<std::string> stop;
  std::vector<int32_t> stop_ids;  // end tokens beside the model's own
  bool ignore_eos = false;        // for benchmarks
  // Number of answers, at most 128; they share the prompt's prefill and cache. Answer i samples
  // with seed + i. Model::generate gives one; Model::submit all.
  int n = 1;
  GrammarSpec grammar;  // constrains every answer; see docs/grammar.md
  ReasoningOptions reasoning;
  // Speculative decoding: draft tokens of n-gram lookup and of a draft model (LoadOptions) are
  // verified several at a time where that is faster. No answer changes.
  bool speculate = true;

  int priority = 0;         // larger first; a larger one may interrupt a smaller one, which goes on
                            // later with the same tokens
  std::string client;       // fair-scheduling key: clients of equal priority share capacity equally
  int64_t deadline_ms = 0;  // from submission: the answer ends as it is then; 0: none
  std::string cache_salt;   // requests share cached prompts only with those of the same salt
};

struct TokenLogprobs {
  int32_t id;
  float logprob;               // of the token chosen, natural logarithm
  std::vector<TokenProb> top;  // the most probable, best first
};

// A piece of a running answer: what came since the last one. text is whole UTF-8 characters; tokens
// whose text is still held back (half a character, the beginning of a stop string) come with empty
// text, which follows later.
struct Delta {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<TokenLogprobs> logprobs;  // of ids, where SamplingOptions::n_probs asks for them
};

struct Timings {
  int prompt_n = 0;           // prompt tokens computed
  int cached_n = 0;           // prompt tokens taken from an earlier call
  int predicted_n = 0;        // tokens generated
  int draft_n = 0;            // draft tokens verified
  int draft_true_n = 0;       // of which were accepted
  double prompt_ms = 0;       // from the first row of the prompt to the first token
  double predicted_ms = 0;    // from the first token to the end: predicted_n - 1 tokens
  double queue_ms = 0;        // from submission to the first row of the prompt
  double first_token_ms = 0;  // from submission to the first token; 0: there is none
  double per_token_ms = 0;    // in the mean from one token to the next; 0: there is one at most
};

// stop: an end token, a stop string or the end of the grammar; length: max_tokens or the context.
enum class Finish : uint8_t { stop, length, cancelled, deadline };
const char* name(Finish finish);  // "stop", "length", "cancelled", "deadline"

struct Generation {
  std::vector<int32_t> ids;  // generated tokens, without the one that ended the turn
  std::string text;
  std::vector<TokenLogprobs> logprobs;  // of ids, where asked for
  Finish finish = Finish::stop;
  Timings timings;
  // Parts of the request that were not enforced, since their standard makes them annotations: a
  // sentence each. An unknown `format` of a JSON schema is one.
  std::vector<std::string> notes;
};

}  // namespace quern
