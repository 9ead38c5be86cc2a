// A name, then each argument between tags: <function=f><parameter=a>1</parameter></function>.
#include <nlohmann/json.hpp>

#include "tool_calls/call_reader.h"

namespace quern {
namespace {

using Value = ValueReader::Step;

int type_of_word(std::string_view json) {
  if (json == "null") return kJsonNull;
  if (json == "true" || json == "false") return kJsonBoolean;
  return json.find_first_of(".eE") == std::string_view::npos ? kJsonInteger : kJsonFraction;
}

std::string_view trimmed(std::string_view text) {
  constexpr const char* kSpace = " \n\r\t";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

// `text` as JSON of one of `types`; a string where it is none of them.
std::string json_of(const std::string& text, int types) {
  const std::string_view value = trimmed(text);
  ValueReader reader;
  std::string json;
  Value step = Value::more;
  size_t n = 0;
  while (n < value.size() && step == Value::more) step = reader.feed(value[n++], json);
  if (step == Value::more) {
    step = reader.finish(json);
  } else if (step == Value::before || n < value.size()) {
    step = Value::bad;  // more than one value
  }
  if (step != Value::bad && reader.kind() != '"') {
    const int type = reader.kind() == '{'   ? kJsonObject
                     : reader.kind() == '[' ? kJsonArray
                                            : type_of_word(json);
    // "5.0" is an integer, where it cannot be a string.
    const bool integer = type == kJsonFraction && (types & kJsonInteger) != 0;
    if ((types & type) != 0 || (integer && (types & kJsonString) == 0)) return json;
  }
  std::string quoted = "\"";
  append_escaped(text, quoted);
  return quoted + '"';
}

std::vector<std::string> marks_of(const CallForm& form) {
  std::vector<std::string> marks = {form.key_begin, form.end};
  if (!form.outer_end.empty()) marks.push_back(form.outer_end);
  return marks;
}

class TaggedCall final : public CallReader {
 public:
  TaggedCall(const CallForm& form, AnswerWriter& writer)
      : CallReader(form, writer),
        marks_(marks_of(form)),
        name_end_({form.name_end}),
        next_(marks_),
        key_end_(form.key_end),
        value_begin_(form.value_begin),
        value_end_(form.value_end),
        behind_(marks_) {}

  Step feed(char c) override;
  void finish() override;

 private:
  enum class State : uint8_t {
    name,
    name_end,
    next,         // an argument or the end
    key,          // up to key_end
    value_begin,  // up to it
    value,
    behind,  // value_end was read: it ends the value if an argument or the end follows
  };

  Step name(char c);
  Step next(char c);
  Step key(char c);
  Step value_begin(char c);
  Step value(char c);
  Step behind(char c);
  Step over();
  bool begin();
  void begin_argument();
  void begin_value();
  void add(std::string_view text);
  void write(std::string_view text);
  void end_value();

  State state_ = State::name;
  std::string name_, key_, between_;
  const Tool* tool_ = nullptr;
  bool begun_ = false, any_ = false;
  // Of the value.
  int types_ = kJsonAny;
  bool streams_ = false;                  // a string, written as it comes
  bool first_ = false;                    // nothing of it yet
  bool line_end_ = false;                 // held back: the last one is no part of the value
  std::string text_, space_;              // read whole; white space behind value_end
  const std::vector<std::string> marks_;  // of an argument, of the ends
  NextOf name_end_, next_;
  FirstPlace key_end_, value_begin_, value_end_;
  NextOf behind_;
};

bool TaggedCall::begin() {
  if (begun_) return true;
  if (!may_call(name_)) return false;
  begun_ = true;
  tool_ = writer_.tool(name_);
  writer_.begin_call(name_, "");
  writer_.arguments("{");
  return true;
}

CallReader::Step TaggedCall::over() {
  writer_.arguments("}");
  writer_.end_call(true);
  return {Kind::done};
}

CallReader::Step TaggedCall::name(char c) {
  if (is_name_byte(c)) {
    name_ += c;
    return name_.size() > kMostName ? Step{Kind::failed, 0} : Step{};
  }
  if (name_.empty()) return is_call_space(c) ? Step{} : Step{Kind::failed, 1};
  state_ = form_.name_end.empty() ? State::next : State::name_end;
  return feed(c);
}

CallReader::Step TaggedCall::next(char c) {
  if (!next_.any() && is_call_space(c)) return {};
  switch (next_.feed(c)) {
    case NextOf::Step::more:
      return {};
    case NextOf::Step::found:
      if (!begin()) return {Kind::failed, 0};
      if (next_.index() > 0) return over();
      begin_argument();
      return {};
    case NextOf::Step::none:
      break;
  }
  if (!begun_) return {Kind::failed, next_.length() + 1};
  over();  // the end is missing
  return {Kind::left, next_.length() + 1};
}

void TaggedCall::begin_argument() {
  key_.clear(), between_.clear();
  state_ = State::key;
}

CallReader::Step TaggedCall::key(char c) {
  if (key_end_.feed(c, key_)) {
    state_ = form_.value_begin.empty() ? State::value : State::value_begin;
    if (state_ == State::value) begin_value();
  } else if (key_.size() > kMostName) {
    return begin_raw(c);
  }
  return {};
}

CallReader::Step TaggedCall::value_begin(char c) {
  if (value_begin_.feed(c, between_)) {
    begin_value();
  } else if (between_.size() > kMostBetween) {
    return begin_raw(c);
  }
  return {};
}

// What stands between name and value may say whether it is a string.
void TaggedCall::begin_value() {
  state_ = State::value;
  types_ = tool_ ? types_of_property(*tool_, key_) : kJsonAny;
  if (between_.find("string=\"true\"") != std::string::npos) types_ = kJsonString;
  if (between_.find("string=\"false\"") != std::string::npos && (types_ & ~kJsonString) != 0)
    types_ &= ~kJsonString;
  streams_ = types_ == kJsonString;
  first_ = true, line_end_ = false;
  text_.clear();
  std::string begin = any_ ? ",\"" : "\"";
  append_escaped(key_, begin);
  writer_.arguments(begin + (streams_ ? "\":\"" : "\":"));
  any_ = true;
}

void TaggedCall::write(std::string_view text) {
  if (!streams_) {
    text_ += text;
    if (text_.size() <= kMostHeld) return;
    streams_ = true;  // too long for anything but a string
    writer_.arguments("\"");
    std::string escaped;
    append_escaped(text_, escaped);
    writer_.arguments(escaped);
    text_.clear();
    return;
  }
  std::string escaped;
  append_escaped(text, escaped);
  writer_.arguments(escaped);
}

void TaggedCall::add(std::string_view text) {
  for (const char c : text) {
    if (form_.lines && c == '\n' && first_) {
      first_ = false;
      continue;
    }
    first_ = false;
    if (line_end_) write("\n");
    line_end_ = form_.lines && c == '\n';
    if (!line_end_) write({&c, 1});
  }
}

CallReader::Step TaggedCall::value(char c) {
  std::string passed;
  const bool ended = value_end_.feed(c, passed);
  add(passed);
  if (ended) state_ = State::behind, space_.clear();
  return {};
}

void TaggedCall::end_value() { writer_.arguments(streams_ ? "\"" : json_of(text_, types_)); }

CallReader::Step TaggedCall::behind(char c) {
  if (!behind_.any() && is_call_space(c) && space_.size() < AnswerWriter::kMostSpace) {
    space_ += c;
    return {};
  }
  switch (behind_.feed(c)) {
    case NextOf::Step::more:
      return {};
    case NextOf::Step::found:
      end_value();
      if (behind_.index() > 0) return over();
      begin_argument();
      return {};
    case NextOf::Step::none:
      break;
  }
  // The mark was a part of the value. So is what followed, but its last bytes may begin another.
  add(form_.value_end + space_);
  state_ = State::value;
  for (const char before : marks_[behind_.index()].substr(0, behind_.length())) value(before);
  return value(c);
}

CallReader::Step TaggedCall::feed(char c) {
  if (is_raw()) return raw(c);
  switch (state_) {
    case State::name:
      return name(c);
    case State::name_end:
      if (!name_end_.any() && is_call_space(c)) return {};
      switch (name_end_.feed(c)) {
        case NextOf::Step::more:
          return {};
        case NextOf::Step::none:
          return {Kind::failed, name_end_.length() + 1};
        case NextOf::Step::found:
          break;
      }
      state_ = State::next;
      return begin() ? Step{} : Step{Kind::failed, 0};
    case State::next:
      return next(c);
    case State::key:
      return key(c);
    case State::value_begin:
      return value_begin(c);
    case State::value:
      return value(c);
    case State::behind:
      break;
  }
  return behind(c);
}

// Between arguments the call is whole but for its end.
void TaggedCall::finish() {
  if (!writer_.call_open() || is_raw()) return CallReader::finish();
  if (state_ == State::behind) end_value();
  if (state_ == State::behind || state_ == State::next) {
    over();
    return;
  }
  if (state_ == State::value) {
    add(value_end_.flush());
    if (!streams_) writer_.arguments(text_);
  }
  CallReader::finish();
}

}  // namespace

std::unique_ptr<CallReader> tagged_call(const CallForm& form, AnswerWriter& writer) {
  return std::make_unique<TaggedCall>(form, writer);
}

}  // namespace quern
