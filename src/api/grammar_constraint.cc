#include "api/grammar_constraint.h"

#include <utility>

#include "base/utf8.h"

namespace quern {
namespace {

class GrammarConstraint final : public Constraint {
 public:
  explicit GrammarConstraint(Result<GrammarMatcher> matcher) : matcher_(std::move(matcher)) {}

  Result<> mask(std::span<uint32_t> bits) override {
    if (!matcher_) return matcher_.error();
    return matcher_->mask(bits);
  }
  Result<> consume(int32_t token) override {
    if (!matcher_) return matcher_.error();
    return matcher_->consume(token);
  }
  // An error is said by the next mask.
  std::vector<int32_t> forced() override {
    if (!matcher_) return {};
    auto tokens = matcher_->forced();
    return tokens ? std::move(*tokens) : std::vector<int32_t>();
  }
  bool over() override { return matcher_ && matcher_->stopped(); }

 private:
  Result<GrammarMatcher> matcher_;
};

}  // namespace

Result<const GrammarEngine*> Grammars::engine() {
  const std::lock_guard lock(mutex_);
  if (!tokenizer_) return tokenizer_.error();
  if (!engine_) engine_.emplace(GrammarEngine::make(*tokenizer_, end_ids_));
  if (!*engine_) return engine_->error();
  return &**engine_;
}

Result<Grammars::Made> Grammars::make(const GrammarSpec& spec) {
  if (spec.kind == GrammarKind::none) return Made();
  TRY(const GrammarEngine* const compiler, engine());
  GrammarSpec plain = spec;
  if (spec.kind != GrammarKind::regex) plain.text = without_mark(spec.text);  // as files have it
  TRY(Grammar grammar, compiler->compile(plain));
  std::vector<std::string> notes = grammar.notes();
  return Made{[grammar = std::move(grammar)] {
                return std::make_unique<GrammarConstraint>(GrammarMatcher::make(grammar));
              },
              std::move(notes)};
}

}  // namespace quern
