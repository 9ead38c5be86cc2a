// {"name": "f", "arguments": {...}}, or a list of such.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tool_calls/call_reader.h"

namespace quern {
namespace {

using Value = ValueReader::Step;

// "\"text\"" as text.
std::string unquoted(const std::string& json) {
  const auto value = nlohmann::json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

class JsonCalls final : public CallReader {
 public:
  JsonCalls(const CallForm& form, AnswerWriter& writer)
      : CallReader(form, writer), tail_(form), open_({form.open}) {}

  Step feed(char c) override;
  void finish() override;

 private:
  enum class State : uint8_t {
    begin,       // a list or an object
    element,     // of a list: an object
    name,        // of a member, or the object's end
    colon,       // behind it
    value,       // must begin
    capture,     // is read into text_
    stream,      // of arguments: goes to the writer
    after,       // behind a member
    after_call,  // in a list
    tail,        // behind all
    separator,   // ... and a separator was read
    python,      // a list of Python calls
  };
  enum class Member : uint8_t { name, function, arguments, other };

  Step begin(char c);
  Step element(char c);
  Step member_name(char c);
  Step begin_value(char c);
  Step captured(char c);
  Step streamed(char c);
  Step after(char c);
  Step after_call(char c);
  Step tail(char c);
  Step object_ended();
  Step no_json(char c);
  Member member_of(const std::string& name) const;
  void begin_object();
  void begin_member() { state_ = State::name, value_ = {}, text_.clear(); }
  void take_arguments();

  State state_ = State::begin;
  Member member_ = Member::other;
  std::string text_;  // the value or name that is read
  std::string name_, arguments_;
  bool have_arguments_ = false, complete_ = true;
  bool in_list_ = false, any_object_ = false, extra_brace_ = false;
  int nested_ = 0;  // "function" objects that are open
  CallTail tail_;
  NextOf open_;
  std::unique_ptr<CallReader> python_;
};

// No JSON here; arguments that are there already stay.
CallReader::Step JsonCalls::no_json(char c) {
  if (!writer_.call_open()) return {Kind::failed, 1};
  writer_.end_call(complete_);
  state_ = State::tail;
  return in_list_ ? after_call(c) : tail(c);
}

void JsonCalls::begin_object() {
  begin_member();
  name_.clear(), arguments_.clear();
  have_arguments_ = false, complete_ = true, any_object_ = true;
  nested_ = 0;
}

CallReader::Step JsonCalls::begin(char c) {
  if (!open_.any() && is_call_space(c)) return {};
  if (!form_.open.empty() && (open_.any() || c == form_.open[0])) {
    return open_.feed(c) == NextOf::Step::none ? no_json(c) : Step{};
  }
  if (c == '[' && !in_list_) {
    in_list_ = true;
    state_ = State::element;
    return {};
  }
  if (c != '{') return no_json(c);
  begin_object();
  return {};
}

CallReader::Step JsonCalls::element(char c) {
  if (is_call_space(c)) return {};
  if (c == '{') return begin_object(), Step{};
  if (!form_.python || any_object_ || !is_name_byte(c)) return no_json(c);
  python_ = python_calls(form_, writer_, true);
  state_ = State::python;
  return python_->feed(c);
}

JsonCalls::Member JsonCalls::member_of(const std::string& name) const {
  if (std::ranges::count(form_.name_keys, name) > 0) return Member::name;
  if (std::ranges::count(form_.argument_keys, name) > 0)
    return have_arguments_ ? Member::other : Member::arguments;
  return name == "function" ? Member::function : Member::other;
}

CallReader::Step JsonCalls::member_name(char c) {
  if (text_.empty()) {
    if (is_call_space(c)) return {};
    if (c == '}') return object_ended();
    if (c != '"' && c != '\'') return no_json(c);
  }
  const Value step = value_.feed(c, text_);
  if (step == Value::bad || text_.size() > kMostName) return no_json(c);
  if (step != Value::done) return {};
  member_ = member_of(unquoted(text_));
  state_ = State::colon;
  return {};
}

CallReader::Step JsonCalls::begin_value(char c) {
  if (is_call_space(c)) return {};
  if (member_ == Member::function && c == '{') {
    ++nested_;
    begin_member();
    return {};
  }
  value_ = {};
  text_.clear();
  if (member_ == Member::arguments && c == '{' && may_call(name_)) {
    writer_.begin_call(name_, "");
    have_arguments_ = true;
    state_ = State::stream;
    return streamed(c);
  }
  state_ = State::capture;
  return captured(c);
}

// The value is read whole: a name, what is passed over, arguments whose name is not known yet.
CallReader::Step JsonCalls::captured(char c) {
  const Value step = value_.feed(c, text_);
  const bool is_name = member_ == Member::name || member_ == Member::function;
  if (step == Value::bad || text_.size() > (is_name ? kMostName : kMostHeld)) return no_json(c);
  if (step == Value::more) return {};
  if (is_name && value_.kind() == '"' && name_.empty()) name_ = unquoted(text_);
  if (member_ == Member::arguments) take_arguments();
  state_ = State::after;
  return step == Value::before ? after(c) : Step{};
}

// Arguments may be null, and JSON text in a string.
void JsonCalls::take_arguments() {
  have_arguments_ = true;
  arguments_ = text_ == "null" ? "{}" : text_;
  complete_ = arguments_.starts_with('{');
  if (value_.kind() != '"') return;
  const std::string inner = unquoted(text_);
  ValueReader reader;
  std::string json;
  Value step = Value::more;
  for (size_t i = 0; i < inner.size() && step == Value::more; ++i)
    step = reader.feed(inner[i], json);
  complete_ = step == Value::done && reader.kind() == '{';
  arguments_ = complete_ ? json : inner;
}

CallReader::Step JsonCalls::streamed(char c) {
  switch (feed_value(c)) {
    case Value::more:
      return {};
    case Value::done:
      state_ = State::after;
      return {};
    case Value::before:
      return after(c);
    case Value::bad:
      break;
  }
  return begin_raw(c);
}

CallReader::Step JsonCalls::after(char c) {
  state_ = State::after;
  if (is_call_space(c)) return {};
  if (c == ',') return begin_member(), Step{};
  return c == '}' ? object_ended() : no_json(c);
}

CallReader::Step JsonCalls::object_ended() {
  if (nested_ > 0) {
    --nested_;
    state_ = State::after;
    return {};
  }
  if (!writer_.call_open()) {
    if (!may_call(name_)) return {Kind::failed, 0};
    writer_.begin_call(name_, "");
    writer_.arguments(arguments_.empty() ? "{}" : arguments_);
  }
  writer_.end_call(complete_);
  state_ = in_list_ ? State::after_call : State::tail;
  return {};
}

CallReader::Step JsonCalls::after_call(char c) {
  if (is_call_space(c)) return {};
  if (c == ',' || c == ';') return state_ = State::element, Step{};
  state_ = State::tail;
  in_list_ = false;
  if (c != ']') return tail(c);
  return {tail_.empty() ? Kind::done : Kind::more};
}

// Calls without a list stand one behind the other, with or without a comma or semicolon.
CallReader::Step JsonCalls::tail(char c) {
  if (is_call_space(c)) return {};
  if (c == '{') return begin_object(), Step{};
  if (state_ == State::separator) return {Kind::failed, 1};
  if (c == ';' || c == ',') return state_ = State::separator, Step{};
  if (c == '}' && !extra_brace_ && !form_.end.empty()) return extra_brace_ = true, Step{};
  return tail_.feed(c);
}

CallReader::Step JsonCalls::feed(char c) {
  if (is_raw()) return raw(c);
  switch (state_) {
    case State::begin:
      return begin(c);
    case State::element:
      return element(c);
    case State::name:
      return member_name(c);
    case State::colon:
      if (is_call_space(c)) return {};
      if (c != ':') return no_json(c);
      state_ = State::value;
      return {};
    case State::value:
      return begin_value(c);
    case State::capture:
      return captured(c);
    case State::stream:
      return streamed(c);
    case State::after:
      return after(c);
    case State::after_call:
      return after_call(c);
    case State::tail:
    case State::separator:
      return tail(c);
    case State::python:
      return python_->feed(c);
  }
  return no_json(c);
}

void JsonCalls::finish() {
  if (python_) return python_->finish();
  const bool inside = is_raw() || state_ == State::stream;
  if (writer_.call_open() && !inside) return writer_.end_call(complete_);
  CallReader::finish();
}

}  // namespace

std::unique_ptr<CallReader> json_calls(const CallForm& form, AnswerWriter& writer) {
  return std::make_unique<JsonCalls>(form, writer);
}

}  // namespace quern
