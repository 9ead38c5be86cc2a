#include "tool_calls/tool_call_parser.h"

#include <algorithm>
#include <utility>

namespace quern {
namespace {

// Bytes kept of a call that has begun: more than any mark has, which may have to be read again.
constexpr size_t kTail = 256;

std::vector<std::string> begins_of(const ToolDialect& dialect) {
  std::vector<std::string> begins;
  for (const CallForm& form : dialect.forms)
    if (!form.begin.empty() && std::ranges::count(begins, form.begin) == 0)
      begins.push_back(form.begin);
  return begins;
}

}  // namespace

ToolCallParser::ToolCallParser(std::shared_ptr<const ToolDialect> dialect,
                               ReasoningFormat reasoning, std::shared_ptr<const ToolSet> tools,
                               const ParserOptions& options)
    : dialect_(std::move(dialect)),
      reasoning_(dialect_->reasoning.start.empty() ? std::move(reasoning) : dialect_->reasoning),
      options_(options),
      writer_(std::move(tools), dialect_->ids, options.id_seed),
      next_(begins_of(*dialect_)) {
  add_marks();
  if (dialect_->channels) {
    where_ = Where::header;
  } else if (options_.reasoning_open) {
    where_ = Where::reasoning;
  } else if (dialect_->name_first && options_.calls) {
    where_ = Where::choose;
    begin_ = dialect_->forms[0].begin;
  }
  at_start_ = where_ == Where::text;
}

void ToolCallParser::add_mark(Kind kind, const std::string& text) {
  if (text.empty() || std::ranges::count(marks_, text, &Mark::text) > 0) return;
  StopSymbols symbols;
  for (const char c : text) symbols.push_back(static_cast<uint8_t>(c));
  tree_.add(symbols, marks_.size());
  marks_.push_back({kind, text});
}

void ToolCallParser::add_marks() {
  if (dialect_->channels) {
    add_mark(Kind::message_start, "<|start|>");
    add_mark(Kind::channel, "<|channel|>");
    add_mark(Kind::constrain, "<|constrain|>");
    add_mark(Kind::message, "<|message|>");
    for (const char* end : {"<|end|>", "<|call|>", "<|return|>"}) add_mark(Kind::message_end, end);
  } else {
    add_mark(Kind::reasoning_begin, reasoning_.start);
    add_mark(Kind::reasoning_end, reasoning_.end);
  }
  for (const std::string& text : dialect_->dropped) add_mark(Kind::dropped, text);
  if (options_.calls && !dialect_->channels) {
    add_mark(Kind::section_begin, dialect_->section_begin);
    add_mark(Kind::section_end, dialect_->section_end);
    for (const std::string& begin : begins_of(*dialect_)) add_mark(Kind::call, begin);
  }
  tree_.link();
}

void ToolCallParser::hold(char c, bool control) {
  held_ += c;
  held_control_ += control ? '\1' : '\0';
}

// The first n bytes that are held are text, or reasoning.
void ToolCallParser::release(size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (held_control_[i] != 0) continue;
    if (where_ == Where::reasoning) {
      writer_.reasoning({&held_[i], 1});
    } else {
      writer_.text({&held_[i], 1});
    }
  }
  held_.erase(0, n), held_control_.erase(0, n);
}

// What is held is text, but for its last bytes, which are read as text is.
void ToolCallParser::read_again(size_t back) {
  where_ = Where::text;
  reader_ = nullptr;
  at_start_ = false;
  tree_.restart();
  release(held_.size() - back);
  const std::string bytes = std::exchange(held_, {}), control = std::exchange(held_control_, {});
  for (size_t i = 0; i < bytes.size(); ++i) feed(bytes[i], control[i] != 0);
}

void ToolCallParser::push(std::string_view text) {
  for (const char c : text) feed(c, false);
}

void ToolCallParser::push_control(std::string_view piece) {
  for (const char c : piece) feed(c, true);
}

void ToolCallParser::feed(char c, bool control) {
  hold(c, control);
  switch (where_) {
    case Where::text:
    case Where::reasoning:
      return scan(c);
    case Where::section:
      return section(c);
    case Where::choose:
      return choose(c);
    case Where::call:
      return call(c);
    case Where::header:
      return header(c);
  }
}

// Where a mark is none, its bytes are as others.
bool ToolCallParser::counts(const Mark& mark) const {
  const bool control = held_control_.back() != 0;
  switch (mark.kind) {
    case Kind::reasoning_begin:
      return where_ == Where::text && (control || writer_.blank());
    case Kind::reasoning_end:
      return where_ == Where::reasoning || control;
    // A model may forget to end its reasoning; in plain text it may only speak of calls.
    case Kind::section_begin:
    case Kind::call:
      return where_ == Where::text || control;
    default:
      return true;
  }
}

void ToolCallParser::scan(char c) {
  if (at_start_ && !is_call_space(c)) {
    at_start_ = false;
    begin_.clear();
    if (options_.calls && form_for(c)) {
      where_ = Where::choose;
      return choose(c);
    }
  }
  tree_.advance(static_cast<uint8_t>(c));
  if (const auto found = tree_.found(); found && counts(marks_[found->index])) {
    release(held_.size() - found->bytes);
    tree_.restart();
    return act(marks_[found->index]);
  }
  const size_t held = tree_.held();
  if (held < held_.size()) release(held_.size() - held);
}

void ToolCallParser::act(const Mark& mark) {
  const auto drop = [&](Where where) {
    held_.clear(), held_control_.clear();
    writer_.mark();
    where_ = where;
  };
  switch (mark.kind) {
    case Kind::reasoning_begin:
      return drop(Where::reasoning);
    case Kind::reasoning_end:
      drop(Where::text);
      at_start_ = writer_.blank();
      return;
    case Kind::section_begin:
      where_ = Where::section;
      return;
    case Kind::section_end:
      return drop(Where::text);
    case Kind::dropped:
      held_.clear(), held_control_.clear();
      return;
    case Kind::call:
      where_ = Where::choose;
      begin_ = mark.text;
      return;
    case Kind::message_start:
    case Kind::message_end:
    case Kind::channel:
      drop(Where::header);
      header_ = mark.kind == Kind::channel         ? "\x02"
                : mark.kind == Kind::message_start ? "\x01"
                                                   : "";
      return;
    case Kind::constrain:
    case Kind::message:
      return;  // only in headers
  }
}

void ToolCallParser::section(char c) {
  if (!next_.any() && is_call_space(c)) {
    if (held_.size() > CallReader::kMostHeld) read_again(0);
    return;
  }
  switch (next_.feed(c)) {
    case NextOf::Step::more:
      return;
    case NextOf::Step::none:
      return read_again(next_.length() + 1);
    case NextOf::Step::found:
      break;
  }
  begin_ = held_.substr(held_.size() - next_.length());
  where_ = Where::choose;
}

const CallForm* ToolCallParser::form_for(char c) const {
  const bool word = is_name_byte(c), bracket = c == '[' || c == '{';
  for (const CallForm& form : dialect_->forms) {
    if (form.begin != begin_) continue;
    switch (form.shape) {
      case CallShape::json:
        if (bracket || (!form.open.empty() && c == form.open[0])) return &form;
        break;
      case CallShape::python:
        if (c == '[' || (word && !begin_.empty())) return &form;
        break;
      case CallShape::named:
      case CallShape::tagged:
        if (word) return &form;
    }
  }
  return nullptr;
}

void ToolCallParser::choose(char c) {
  if (is_call_space(c)) {
    if (held_.size() > CallReader::kMostHeld) read_again(0);
    return;
  }
  const CallForm* form = form_for(c);
  if (!form) return read_again(1);
  std::unique_ptr<CallReader> reader;
  switch (form->shape) {
    case CallShape::json:
      reader = json_calls(*form, writer_);
      break;
    case CallShape::named:
      reader = named_call(*form, writer_);
      break;
    case CallShape::tagged:
      reader = tagged_call(*form, writer_);
      break;
    case CallShape::python:
      reader = python_calls(*form, writer_, false);
      break;
  }
  begin_reader(std::move(reader));
  call(c);
}

void ToolCallParser::begin_reader(std::unique_ptr<CallReader> reader) {
  reader_ = std::move(reader);
  where_ = Where::call;
}

void ToolCallParser::call(char c) {
  const bool was_open = writer_.call_open();
  const int n_calls = writer_.n_calls();
  const CallReader::Step step = reader_->feed(c);
  const bool committed = was_open || writer_.n_calls() > n_calls;
  switch (step.kind) {
    case CallReader::Step::Kind::failed:
      return read_again(step.back);
    case CallReader::Step::Kind::left:
      held_.erase(0, held_.size() - step.back);
      held_control_.erase(0, held_control_.size() - step.back);
      break;
    case CallReader::Step::Kind::done:
      held_.clear(), held_control_.clear();
      break;
    case CallReader::Step::Kind::more:
      if (committed && !writer_.call_open()) {
        held_.clear(), held_control_.clear();
      } else if (committed && held_.size() > 2 * kTail) {
        held_.erase(0, kTail), held_control_.erase(0, kTail);
      } else if (!committed && held_.size() > CallReader::kMostHeld) {
        read_again(0);
      }
      return;
  }
  after_call();
}

void ToolCallParser::after_call() {
  reader_ = nullptr;
  tree_.restart();
  writer_.mark();
  where_ = dialect_->channels ? Where::header : Where::text;
  header_.clear();
  const std::string bytes = std::exchange(held_, {}), control = std::exchange(held_control_, {});
  for (size_t i = 0; i < bytes.size(); ++i) feed(bytes[i], control[i] != 0);
}

void ToolCallParser::finish() {
  if (where_ == Where::call) {
    const bool open = writer_.call_open();
    const int n_calls = writer_.n_calls();
    reader_->finish();
    if (open || writer_.n_calls() > n_calls) held_.clear(), held_control_.clear();
  }
  if (where_ == Where::header && header_.find_first_of("\x01\x02") != std::string::npos)
    held_.clear(), held_control_.clear();
  if (where_ != Where::reasoning) where_ = Where::text;
  release(held_.size());
  writer_.finish();
}

std::vector<AnswerEvent> ToolCallParser::take_all(std::string_view text) {
  push(text);
  finish();
  return take();
}

}  // namespace quern
