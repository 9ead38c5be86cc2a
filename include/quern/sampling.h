// Sampling: how the next token is chosen from the logits. The chain, in this order:
//
//   logit_bias, bans and the mask of a constraint
//   penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature, then one draw
//
// `samplers` puts the second line into another order. mirostat replaces it by temperature and
// mirostat's own draw, adaptive_target replaces the draw alone. Names, meanings and order are
// llama.cpp's. Values out of range are refused with the field's name (invalid_argument), as are NaN
// and infinity.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace quern {

struct LogitBias {
  int32_t id;
  float bias;  // added to the logit, -1e9 to 1e9; -infinity: never this token
};

// -1 in 64 bits: a new seed is drawn for each request.
inline constexpr uint64_t kRandomSeed = UINT64_MAX;

struct SamplingOptions {
  float temperature = 0.8f;  // 0: the most likely token; only biases, bans, penalties and dry count
  int top_k = 40;            // 0: all
  float top_p = 0.95f;       // the most likely that together reach this share; 1: all
  float min_p = 0.05f;       // those at least this share as probable as the most probable; 0: all
  float repeat_penalty = 1;  // of tokens among the last `penalty_window`; 1: none
  float presence_penalty = 0;
  float frequency_penalty = 0;
  int penalty_window = 64;  // tokens, of the prompt too; 0: none, -1: the whole sequence
  // The same seed and request give the same text, alone or in a batch; kRandomSeed: another each
  // time. Flags and JSON take -2^63 to 2^64 - 1; a negative one is what it is in 64 bits.
  uint64_t seed = 0;

  // Temperature by the entropy of what is left: temperature +- dynatemp_range. 0: off
  float dynatemp_range = 0;
  float dynatemp_exponent = 1;
  float typical_p = 1;     // those of about the expected surprise that together reach this; 1: all
  float top_n_sigma = -1;  // within n standard deviations of the largest logit; 0 or less: all
  float xtc_probability = 0;   // of removing all but the last of the tokens above the threshold
  float xtc_threshold = 0.1f;  // above 0.5: never
  int min_keep = 0;  // tokens that top_n_sigma, typ_p, top_p, min_p and xtc leave at least

  // DRY: a token that would continue a repetition of the last `dry_allowed_length` tokens or more
  // loses dry_multiplier * dry_base^(length - dry_allowed_length). 0: off
  float dry_multiplier = 0;
  float dry_base = 1.75f;
  int dry_allowed_length = 2;
  int dry_window = 64;  // tokens looked back on; 0: none, -1: the whole sequence
  // A repetition does not reach across these; at most 32 of 1 to 64 bytes.
  std::vector<std::string> dry_breakers = {"\n", ":", "\"", "*"};

  int mirostat = 0;  // 1 or 2: that version keeps the surprise near mirostat_tau bits
  float mirostat_tau = 5;
  float mirostat_eta = 0.1f;    // how fast it learns
  float adaptive_target = -1;   // 0 to 1: draws near this probability; below 0: off
  float adaptive_decay = 0.9f;  // share of the past in the running average, 0 to 0.99

  // At most 16,384 entries each; an id twice is refused.
  std::vector<LogitBias> logit_bias;
  std::vector<int32_t> banned;   // never these
  std::vector<int32_t> allowed;  // none but these; empty: all
  // No end token before so many tokens, unless a constraint leaves nothing else.
  int min_tokens = 0;

  // The chain's order by the names above; what is not in the list is off. Empty: the order above.
  std::vector<std::string> samplers;

  // Log-probabilities: -1: none; 0: of each token chosen; n, at most 128: and of the n likeliest.
  // They are of the model's own distribution at temperature 1, before biases, bans and filters;
  // with post_sampling_probs of the distribution that was drawn from.
  int n_probs = -1;
  bool post_sampling_probs = false;
};

struct TokenProb {
  int32_t id;
  float logprob;  // natural logarithm
};

}  // namespace quern
