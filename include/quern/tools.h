// An answer taken apart: text, reasoning and tool calls, as they come.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quern/chat.h"
#include "quern/generation.h"
#include "quern/result.h"

namespace quern {

enum class AnswerPart : uint8_t {
  text,        // what the user is told
  reasoning,   // what the model thought before
  call_begin,  // a call of a tool: its number, id and name
  arguments,   // a piece of the JSON text of its arguments
  call_end,    // the call is over
};

// A piece of an answer. Pieces come in the order in which the model wrote them, and calls one after
// the other: all `arguments` between a call_begin and its call_end belong to that call.
struct AnswerEvent {
  AnswerPart part = AnswerPart::text;
  std::string text = {};           // of text, reasoning and arguments: never empty
  int call = -1;                   // of the others, and of arguments: the call's number, from 0
  std::string id = {}, name = {};  // of call_begin
  // Of call_end: whether the arguments are one valid JSON object. They are not where the answer
  // ended inside them, or where the model wrote what nothing could be made of; then they are what
  // it wrote, and nothing is added to make them look whole.
  bool complete = true;

  bool operator==(const AnswerEvent&) const = default;
};

// How an answer may use tools.
struct ToolOptions {
  std::string tools = {};               // as ChatOptions::tools; empty: none
  bool required = false;                // calls, and nothing but reasoning before them
  std::vector<std::string> names = {};  // only these tools may be called; empty: any
  bool parallel = true;                 // false: one call at most
};

// Takes one answer apart (docs/tool-calls.md). What is pushed are the pieces of a Stream, in order;
// whatever the model wrote, nothing is an error. Events do not depend on how pieces were cut. Not
// thread-safe; readers of several answers are independent. Keeps what it needs of its model alive.
class AnswerReader {
 public:
  AnswerReader(AnswerReader&&) noexcept;
  AnswerReader& operator=(AnswerReader&&) noexcept;
  ~AnswerReader();

  std::vector<AnswerEvent> push(const Delta& delta);
  // The answer is over: what was held back. Nothing may be pushed afterwards.
  std::vector<AnswerEvent> finish();

 private:
  friend class Model;
  struct State;
  explicit AnswerReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Everything that was pushed, gathered.
struct Answer {
  std::string text = {}, reasoning = {};
  std::vector<ToolCall> calls = {};  // arguments as JSON text
  bool complete = true;              // of every call

  void add(const AnswerEvent& event);
};

}  // namespace quern
