// A name, then the arguments as JSON: <function=f>{...}</function>, [TOOL_CALLS]f[ARGS]{...}.
#include "tool_calls/call_reader.h"

namespace quern {
namespace {

using Value = ValueReader::Step;

std::vector<std::string> not_empty(std::vector<std::string> texts) {
  std::erase(texts, "");
  return texts;
}

class NamedCall final : public CallReader {
 public:
  NamedCall(const CallForm& form, AnswerWriter& writer)
      : CallReader(form, writer),
        marks_(not_empty({form.name_end, form.id_begin, form.open, form.end})),
        between_(marks_),
        quote_(not_empty({form.quote})),
        tail_(form) {}

  // The name is known: what follows it begins.
  void named(std::string_view name) {
    name_ = name;
    state_ = State::between;
  }

  Step feed(char c) override;

 private:
  enum class State : uint8_t { name, id, between, arguments, tail };

  Step name(char c);
  Step between(char c);
  Step arguments(char c);
  Step value(char c);
  Step begin(char c);
  void take_name();

  State state_ = State::name;
  std::string name_, id_;
  const std::vector<std::string> marks_;
  NextOf between_, quote_;
  CallTail tail_;
};

// "functions.f:0" where the form says so: the name is f, and all of it the id.
void NamedCall::take_name() {
  if (form_.number) {
    id_ = name_;
    const size_t colon = name_.rfind(':');
    if (colon != std::string::npos) name_.resize(colon);
  }
  if (!form_.name_prefix.empty() && name_.starts_with(form_.name_prefix))
    name_.erase(0, form_.name_prefix.size());
}

CallReader::Step NamedCall::name(char c) {
  std::string& text = state_ == State::name ? name_ : id_;
  const bool ends = form_.name_end.empty() ? false : c == form_.name_end[0];
  if (is_name_byte(c) && !ends) {
    text += c;
    return text.size() > kMostName ? Step{Kind::failed, 0} : Step{};
  }
  if (text.empty() && is_call_space(c)) return {};
  if (text.empty()) return {Kind::failed, 1};
  if (state_ == State::name && text == form_.user && is_call_space(c)) return {Kind::done};
  if (state_ == State::name) take_name();
  state_ = State::between;
  return between(c);
}

CallReader::Step NamedCall::begin(char c) {
  if (!may_call(name_)) return {Kind::failed, 1};
  writer_.begin_call(name_, id_);
  state_ = State::arguments;
  return arguments(c);
}

CallReader::Step NamedCall::between(char c) {
  if (!between_.any()) {
    if (is_call_space(c)) return {};
    if (c == '{') return begin(c);
  }
  switch (between_.feed(c)) {
    case NextOf::Step::more:
      return {};
    case NextOf::Step::none:
      return {Kind::failed, between_.length() + 1};
    case NextOf::Step::found:
      break;
  }
  const std::string& found = marks_[between_.index()];
  if (found == form_.id_begin) state_ = State::id;
  if (found != form_.end) return {};
  if (!may_call(name_)) return {Kind::failed, 0};
  writer_.begin_call(name_, id_);  // without arguments
  writer_.arguments("{}");
  writer_.end_call(true);
  return {Kind::done};
}

CallReader::Step NamedCall::value(char c) {
  switch (feed_value(c)) {
    case Value::more:
      return {};
    case Value::bad:
      return begin_raw(c);
    case Value::done:
    case Value::before:
      break;
  }
  writer_.end_call(true);
  if (tail_.empty()) return {Kind::done};
  state_ = State::tail;
  return {};
}

// The form's quoting mark stands for a quote: in its place the value gets one byte.
CallReader::Step NamedCall::arguments(char c) {
  if (form_.quote.empty()) return value(c);
  switch (quote_.feed(c)) {
    case NextOf::Step::more:
      return {};
    case NextOf::Step::found:
      return value(ValueReader::kMarkQuote);
    case NextOf::Step::none:
      break;
  }
  for (const char before : form_.quote.substr(0, quote_.length()))
    if (const Step step = is_raw() ? raw(before) : value(before); step.kind != Kind::more)
      return step;
  if (is_raw()) return raw(c);
  if (quote_.length() > 0 && quote_.feed(c) == NextOf::Step::more) return {};
  return value(c);
}

CallReader::Step NamedCall::feed(char c) {
  if (is_raw()) return raw(c);
  switch (state_) {
    case State::name:
    case State::id:
      return name(c);
    case State::between:
      return between(c);
    case State::arguments:
      return arguments(c);
    case State::tail:
      break;
  }
  return tail_.feed(c);
}

}  // namespace

std::unique_ptr<CallReader> named_call(const CallForm& form, AnswerWriter& writer) {
  return std::make_unique<NamedCall>(form, writer);
}

std::unique_ptr<CallReader> call_of(std::string_view name, const CallForm& form,
                                    AnswerWriter& writer) {
  auto call = std::make_unique<NamedCall>(form, writer);
  call->named(name);
  return call;
}

}  // namespace quern
