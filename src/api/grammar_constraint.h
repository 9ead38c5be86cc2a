// Grammars of requests, compiled and handed to the engine.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/constraint.h"
#include "text/grammar.h"

namespace quern {

// The grammars of one model. Thread-safe; callers compile on their own threads, so that the engine
// never waits.
class Grammars {
 public:
  // The tokenizer outlives this.
  Grammars(const Result<Tokenizer>& tokenizer, std::span<const int32_t> end_ids)
      : tokenizer_(tokenizer), end_ids_(end_ids.begin(), end_ids.end()) {}

  struct Made {
    std::function<std::unique_ptr<Constraint>()> constraint;  // of an answer; empty: none
    std::vector<std::string> notes;                           // of Generation
  };
  // Errors: those of GrammarEngine::compile, and those of a model without a tokenizer.
  Result<Made> make(const GrammarSpec& spec);

 private:
  Result<const GrammarEngine*> engine();

  const Result<Tokenizer>& tokenizer_;
  std::vector<int32_t> end_ids_;
  std::mutex mutex_;
  std::optional<Result<GrammarEngine>> engine_;  // made for the first grammar: it takes a while
};

}  // namespace quern
