// Constrained decoding by llguidance (rust/text): grammars compiled once, and the state of one
// sequence in one, which says before each token which tokens are allowed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "quern/grammar.h"
#include "text/tokenizer.h"

namespace quern {

// Compiled. Thread-safe; copies are cheap and share one object.
class Grammar {
 public:
  // What of its text no answer is held to, since it is a remark by its standard: a sentence each.
  std::vector<std::string> notes() const;

 private:
  friend class GrammarEngine;
  friend class GrammarMatcher;
  struct State;
  explicit Grammar(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// The grammars of one vocabulary, with the last ones kept. Thread-safe.
class GrammarEngine {
 public:
  struct Limits {
    size_t kept = 64;                // compiled grammars
    size_t kept_bytes = 16u << 20u;  // of their texts
  };

  // end_tokens: those that end an answer (eos, end of turn); a grammar allows them exactly where it
  // may end. Takes a second for a large vocabulary: make one per model. Errors: corrupt,
  // invalid_argument (an end token outside the vocabulary).
  static Result<GrammarEngine> make(const Tokenizer& tokenizer, std::span<const int32_t> end_tokens,
                                    Limits limits);
  static Result<GrammarEngine> make(const Tokenizer& tokenizer,
                                    std::span<const int32_t> end_tokens) {
    return make(tokenizer, end_tokens, Limits());
  }
  GrammarEngine(GrammarEngine&&) noexcept;
  GrammarEngine& operator=(GrammarEngine&&) noexcept;
  ~GrammarEngine();

  // Milliseconds as a rule, seconds at worst: not for a thread that others wait for. Errors:
  // invalid_argument (malformed, or nothing satisfies it), unsupported (what cannot be enforced, by
  // name), out_of_memory (a limit on size, nesting or work).
  Result<Grammar> compile(const GrammarSpec& spec) const;
  // Compiled grammars kept at this moment.
  size_t kept() const;

 private:
  struct State;
  explicit GrammarEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One sequence. Movable; one thread at a time. After an error other than a refused token the
// sequence must end: no later call succeeds, so nothing is ever unconstrained.
class GrammarMatcher {
 public:
  static Result<GrammarMatcher> make(const Grammar& grammar);
  GrammarMatcher(GrammarMatcher&&) noexcept;
  GrammarMatcher& operator=(GrammarMatcher&&) noexcept;
  ~GrammarMatcher();

  // Bit i % 32 of bits[i / 32]: token i is allowed next. Bits beyond the vocabulary become zero.
  // Where the tokenizer has one spelling of what must follow, only that is allowed. Errors:
  // out_of_memory (the grammar became too complex here), corrupt (a bug in the library).
  Result<> mask(std::span<uint32_t> bits);
  // Errors: invalid_argument: not allowed here, and nothing changed; else as mask.
  Result<> consume(int32_t token);
  // Tokens that are forced next, in order, without a forward pass; often none. They are not
  // consumed.
  Result<std::vector<int32_t>> forced();
  // Takes back the last n tokens consumed. Errors: invalid_argument (more than were).
  Result<> rollback(size_t n);
  // The answer may end here: the end tokens are allowed.
  bool may_end();
  // The answer must end here: nothing but an end token is allowed.
  bool stopped() const;
  // An independent matcher at the same place.
  Result<GrammarMatcher> clone() const;

 private:
  struct State;
  explicit GrammarMatcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace quern
