#include "text/grammar.h"

#include <list>
#include <mutex>
#include <string>
#include <utility>

#include "text/rust_error.h"

namespace quern {
namespace {

constexpr const char* kWhere = "grammar";

Result<> done(quern_text_code code, quern_text_bytes message) {
  if (code != QUERN_TEXT_OK) return rust_error(code, message, kWhere);
  return Ok{};
}

// What to do about a grammar that was refused.
const char* fix_of(quern_text_code code) {
  switch (code) {
    case QUERN_TEXT_UNSUPPORTED:
      return "leave that part out, or check the answer against it afterwards (docs/grammar.md)";
    case QUERN_TEXT_LIMIT:
      return "make the grammar smaller or simpler";
    default:
      return "";
  }
}

}  // namespace

struct Grammar::State {
  explicit State(quern_text_grammar* made) : object(made) {}
  ~State() { quern_text_grammar_free(object); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  quern_text_grammar* const object;
};

std::vector<std::string> Grammar::notes() const {
  std::vector<std::string> notes;
  for (size_t i = 0; i < quern_text_grammar_n_notes(state_->object); ++i)
    notes.emplace_back(text_of(quern_text_grammar_note(state_->object, i)));
  return notes;
}

struct GrammarEngine::State {
  State(quern_text_grammar_engine* made, Limits most) : object(made), limits(most) {}
  ~State() { quern_text_grammar_engine_free(object); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  struct Kept {
    GrammarSpec spec;
    Grammar grammar;
  };
  const Kept* find(const GrammarSpec& spec);
  void keep(const GrammarSpec& spec, const Grammar& grammar);

  quern_text_grammar_engine* const object;
  const Limits limits;
  std::mutex mutex;        // of what follows; compiling happens outside it
  std::list<Kept> recent;  // the last used first
  size_t bytes = 0;
};

// A list is enough: it is short, and a text that differs mostly does so in its length.
const GrammarEngine::State::Kept* GrammarEngine::State::find(const GrammarSpec& spec) {
  for (auto it = recent.begin(); it != recent.end(); ++it) {
    if (!(it->spec == spec)) continue;
    recent.splice(recent.begin(), recent, it);
    return &recent.front();
  }
  return nullptr;
}

void GrammarEngine::State::keep(const GrammarSpec& spec, const Grammar& grammar) {
  if (find(spec) || limits.kept == 0 || spec.text.size() > limits.kept_bytes) return;
  recent.push_front({spec, grammar});
  bytes += spec.text.size();
  while (recent.size() > limits.kept || bytes > limits.kept_bytes) {
    bytes -= recent.back().spec.text.size();
    recent.pop_back();
  }
}

GrammarEngine::GrammarEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
GrammarEngine::GrammarEngine(GrammarEngine&&) noexcept = default;
GrammarEngine& GrammarEngine::operator=(GrammarEngine&&) noexcept = default;
GrammarEngine::~GrammarEngine() = default;

Result<GrammarEngine> GrammarEngine::make(const Tokenizer& tokenizer,
                                          std::span<const int32_t> end_tokens, Limits limits) {
  quern_text_grammar_engine* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_grammar_engine_new(tokenizer.handle(), end_tokens.data(),
                                                             end_tokens.size(), &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, kWhere);
  return GrammarEngine(std::make_unique<State>(object, limits));
}

Result<Grammar> GrammarEngine::compile(const GrammarSpec& spec) const {
  if (spec.kind == GrammarKind::none) {
    return Error{Code::invalid_argument, "no kind of grammar is given", kWhere, ""};
  }
  {
    const std::lock_guard lock(state_->mutex);
    if (const State::Kept* kept = state_->find(spec)) return kept->grammar;
  }
  quern_text_grammar* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code =
      quern_text_grammar_compile(state_->object, static_cast<int>(spec.kind) - 1,
                                 view_of(spec.text), spec.compact, &object, &message);
  if (code != QUERN_TEXT_OK) {
    Error error = rust_error(code, message, kWhere);
    error.fix = fix_of(code);
    return error;
  }
  Grammar grammar(std::make_shared<const Grammar::State>(object));
  const std::lock_guard lock(state_->mutex);
  state_->keep(spec, grammar);
  return grammar;
}

size_t GrammarEngine::kept() const {
  const std::lock_guard lock(state_->mutex);
  return state_->recent.size();
}

struct GrammarMatcher::State {
  explicit State(quern_text_matcher* made) : object(made) {}
  ~State() { quern_text_matcher_free(object); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  quern_text_matcher* const object;
};

GrammarMatcher::GrammarMatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
GrammarMatcher::GrammarMatcher(GrammarMatcher&&) noexcept = default;
GrammarMatcher& GrammarMatcher::operator=(GrammarMatcher&&) noexcept = default;
GrammarMatcher::~GrammarMatcher() = default;

Result<GrammarMatcher> GrammarMatcher::make(const Grammar& grammar) {
  quern_text_matcher* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_matcher_new(grammar.state_->object, &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, kWhere);
  return GrammarMatcher(std::make_unique<State>(object));
}

Result<> GrammarMatcher::mask(std::span<uint32_t> bits) {
  quern_text_bytes message = {};
  return done(quern_text_matcher_mask(state_->object, bits.data(), bits.size(), &message), message);
}

Result<> GrammarMatcher::consume(int32_t token) {
  quern_text_bytes message = {};
  return done(quern_text_matcher_consume(state_->object, token, &message), message);
}

Result<std::vector<int32_t>> GrammarMatcher::forced() {
  quern_text_ids ids = {};
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_matcher_forced(state_->object, &ids, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, kWhere);
  std::vector<int32_t> copy(ids.data, ids.data + ids.size);
  quern_text_free_ids(ids);
  return copy;
}

Result<> GrammarMatcher::rollback(size_t n) {
  quern_text_bytes message = {};
  return done(quern_text_matcher_rollback(state_->object, n, &message), message);
}

bool GrammarMatcher::may_end() { return quern_text_matcher_may_end(state_->object) != 0; }

bool GrammarMatcher::stopped() const { return quern_text_matcher_stopped(state_->object) != 0; }

Result<GrammarMatcher> GrammarMatcher::clone() const {
  quern_text_matcher* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code = quern_text_matcher_copy(state_->object, &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, kWhere);
  return GrammarMatcher(std::make_unique<State>(object));
}

}  // namespace quern
