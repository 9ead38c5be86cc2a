// f(a=1, b="x"), or a list of such: Python, as far as literals go.
#include "tool_calls/call_reader.h"

namespace quern {
namespace {

using Value = ValueReader::Step;

class PythonCalls final : public CallReader {
 public:
  PythonCalls(const CallForm& form, AnswerWriter& writer, bool in_list)
      : CallReader(form, writer), tail_(form), in_list_(in_list) {}

  Step feed(char c) override;

 private:
  enum class State : uint8_t {
    begin,     // a name, or "[" before the first one
    name,      // up to "("
    argument,  // a key, a value or ")"
    word,      // a key, or a value that looks like one
    equals,    // behind a word: "=" makes it a key
    value,
    after,      // a value: "," or ")"
    closed,     // the ")" of print
    separator,  // between calls
    tail,
  };

  Step begin(char c);
  Step name(char c);
  Step argument(char c);
  Step word(char c);
  Step equals(char c);
  Step value(char c);
  Step after(char c);
  Step separator(char c);
  Step begin_value(std::string_view first);
  Step no_python(char c);
  Step call_ended();
  void write_key(std::string_view key);

  State state_ = State::begin;
  CallTail tail_;
  bool in_list_;
  bool printed_ = false, spaced_ = false, line_ = false;
  std::string name_, word_;
  const Tool* tool_ = nullptr;
  size_t n_arguments_ = 0;
};

CallReader::Step PythonCalls::no_python(char c) {
  return writer_.call_open() ? begin_raw(c) : Step{Kind::failed, 1};
}

CallReader::Step PythonCalls::begin(char c) {
  if (is_call_space(c)) return {};
  if (c == '[' && !in_list_ && writer_.n_calls() == 0) return in_list_ = true, Step{};
  if (!is_name_byte(c)) return {Kind::failed, 1};
  name_.assign(1, c);
  spaced_ = printed_ = false;
  state_ = State::name;
  return {};
}

CallReader::Step PythonCalls::name(char c) {
  if (is_name_byte(c) && !spaced_) {
    name_ += c;
    return name_.size() > kMostName ? Step{Kind::failed, 0} : Step{};
  }
  if (c == ' ') return spaced_ = true, Step{};
  if (c != '(') return {Kind::failed, 1};
  if (name_ == "print" && !printed_ && !writer_.tool("print")) {  // print(f(a=1))
    printed_ = true;
    name_.clear();
    return {};
  }
  if (name_.ends_with(".call")) name_.resize(name_.size() - 5);  // Llama's own tools
  if (!may_call(name_)) return {Kind::failed, 1};
  tool_ = writer_.tool(name_);
  writer_.begin_call(name_, "");
  writer_.arguments("{");
  n_arguments_ = 0;
  state_ = State::argument;
  return {};
}

CallReader::Step PythonCalls::argument(char c) {
  if (is_call_space(c)) return {};
  if (c == ')') return call_ended();
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
    word_.assign(1, c);
    state_ = State::word;
    return {};
  }
  return begin_value({&c, 1});
}

CallReader::Step PythonCalls::word(char c) {
  const bool more = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '.';
  if (more) {
    word_ += c;
    return word_.size() > kMostName ? no_python(c) : Step{};
  }
  state_ = State::equals;
  return equals(c);
}

CallReader::Step PythonCalls::equals(char c) {
  if (is_call_space(c)) return {};
  if (c == '=') {
    write_key(word_);
    value_ = {};
    state_ = State::value;
    return {};
  }
  if (const Step step = begin_value(word_); step.kind != Kind::more) return step;
  return is_raw() ? raw(c) : value(c);
}

// Without a name it is the schema's property at this place.
CallReader::Step PythonCalls::begin_value(std::string_view first) {
  const std::string key = tool_ ? property_at(*tool_, n_arguments_) : "";
  if (key.empty()) {
    for (const char c : first)
      if (const Step step = is_raw() ? raw(c) : begin_raw(c); step.kind != Kind::more) return step;
    return {};
  }
  write_key(key);
  value_ = {};
  state_ = State::value;
  for (const char c : first)
    if (const Step step = is_raw() ? raw(c) : value(c); step.kind != Kind::more) return step;
  return {};
}

void PythonCalls::write_key(std::string_view key) {
  std::string json = n_arguments_++ > 0 ? ",\"" : "\"";
  append_escaped(key, json);
  writer_.arguments(json + "\":");
}

CallReader::Step PythonCalls::value(char c) {
  switch (feed_value(c)) {
    case Value::more:
      return {};
    case Value::bad:
      return begin_raw(c);
    case Value::done:
      state_ = State::after;
      return {};
    case Value::before:
      break;
  }
  return after(c);
}

CallReader::Step PythonCalls::after(char c) {
  state_ = State::after;
  if (is_call_space(c)) return {};
  if (c == ')') return call_ended();
  if (c != ',') return value_ = {}, begin_raw(c);
  state_ = State::argument;
  return {};
}

CallReader::Step PythonCalls::call_ended() {
  writer_.arguments("}");
  writer_.end_call(true);
  line_ = false;
  state_ = printed_ ? State::closed : State::separator;
  return {};
}

// In a list a comma; else a comma, a semicolon or a new line.
CallReader::Step PythonCalls::separator(char c) {
  if (c == '\n') line_ = true;
  if (is_call_space(c)) return {};
  if (in_list_ && c == ']') {
    state_ = State::tail;
    return {tail_.empty() ? Kind::done : Kind::more};
  }
  if (c == ',' || (c == ';' && !in_list_)) return state_ = State::begin, Step{};
  const bool next_line = line_ && !in_list_ && !form_.end.empty() && is_name_byte(c);
  if (next_line) return begin(c);
  state_ = State::tail;
  return tail_.feed(c);
}

CallReader::Step PythonCalls::feed(char c) {
  if (is_raw()) return raw(c);
  switch (state_) {
    case State::begin:
      return begin(c);
    case State::name:
      return name(c);
    case State::argument:
      return argument(c);
    case State::word:
      return word(c);
    case State::equals:
      return equals(c);
    case State::value:
      return value(c);
    case State::after:
      return after(c);
    case State::closed:
      if (is_call_space(c)) return {};
      state_ = State::separator;
      return c == ')' ? Step{} : separator(c);
    case State::separator:
      return separator(c);
    case State::tail:
      break;
  }
  return tail_.feed(c);
}

}  // namespace

std::unique_ptr<CallReader> python_calls(const CallForm& form, AnswerWriter& writer, bool in_list) {
  return std::make_unique<PythonCalls>(form, writer, in_list);
}

}  // namespace quern
