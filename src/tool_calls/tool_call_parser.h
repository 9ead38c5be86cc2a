// An answer as it comes, taken apart into text, reasoning and tool calls.
//
// Control tokens have no text in an answer, and marks of calls often are control tokens. So a
// parser is given both: push takes text, push_control what a control token is called. Marks count
// in either form; what is left of control tokens is no text. MarkedText (marked_text.h) makes the
// sequence of both of what the engine gives.
//
// Every byte is looked at a bounded number of times, and the events are the same however the text
// was cut. Nothing is an error: what is no call is text.
//
// - A call is one once its name is known. Before that it is held back (up to 1 MiB, beyond which it
//   is text), and is text where it turns out to be none; it is not searched for marks again.
// - Behind a mark any name is a call, as in vLLM: the caller answers that there is no such tool,
//   and the model tries again. Where there is no mark (Llama 3's bare JSON, Python lists), or one
//   that is a text like others ("Action:"), only the request's tools are called.
// - Arguments are repaired where it is certain what was meant (value_reader.h). From what cannot be
//   read on they are passed on as they stand, and call_end says complete = false. So it does where
//   the text ends inside arguments: nothing is closed, for a command that was cut off is not the
//   command that was meant.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/tools.h"
#include "text/stop_strings.h"
#include "tool_calls/answer_writer.h"
#include "tool_calls/call_reader.h"
#include "tool_calls/tool_dialect.h"

namespace quern {

struct ParserOptions {
  bool reasoning_open = false;  // the prompt ends inside reasoning (opens_reasoning)
  bool calls = true;            // false: only reasoning is told apart
  uint64_t id_seed = 0;         // ids of calls follow from it: the same seed, the same ids
};

// One answer. Not thread-safe. After finish nothing may be pushed.
class ToolCallParser {
 public:
  ToolCallParser(std::shared_ptr<const ToolDialect> dialect, ReasoningFormat reasoning,
                 std::shared_ptr<const ToolSet> tools, const ParserOptions& options);

  void push(std::string_view text);
  void push_control(std::string_view piece);
  void finish();

  // What has come since the last call of this.
  std::vector<AnswerEvent> take() { return writer_.take(); }
  std::vector<AnswerEvent> take_all(std::string_view text);  // push, finish and take

 private:
  enum class Where : uint8_t {
    text,
    reasoning,
    section,  // behind section_begin: a call must begin
    choose,   // behind a form's begin: its first byte tells which form
    call,     // reader_ reads
    header,   // of a message: harmony
  };
  enum class Kind : uint8_t {
    reasoning_begin,
    reasoning_end,
    section_begin,
    section_end,
    call,  // the begin of a form
    dropped,
    message_start,  // the rest: harmony
    channel,
    constrain,
    message,
    message_end,
  };
  struct Mark {
    Kind kind;
    std::string text;
  };

  void add_marks();
  void add_mark(Kind kind, const std::string& text);
  bool counts(const Mark& mark) const;
  void feed(char c, bool control);
  void scan(char c);
  void act(const Mark& mark);
  void section(char c);
  void choose(char c);
  void call(char c);
  void header(char c);
  void begin_message();
  const CallForm* form_for(char c) const;
  void begin_reader(std::unique_ptr<CallReader> reader);
  void after_call();
  void hold(char c, bool control);
  void release(size_t n);
  void read_again(size_t back);

  const std::shared_ptr<const ToolDialect> dialect_;
  const ReasoningFormat reasoning_;
  const ParserOptions options_;
  AnswerWriter writer_;
  std::vector<Mark> marks_;
  StopTree tree_;
  Where where_ = Where::text;
  std::string held_, held_control_;  // bytes, and for each whether it is of a control token
  std::string begin_;                // of the forms to choose from
  std::unique_ptr<CallReader> reader_;
  NextOf next_;            // behind section_begin
  std::string header_;     // harmony: since the last message
  bool at_start_ = false;  // nothing but white space has come: a call may begin without a mark
};

}  // namespace quern
