// What a parser writes: events of an answer, with the rules for white space and for calls' ids.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/tools.h"
#include "tool_calls/tool_dialect.h"
#include "tool_calls/tool_set.h"

namespace quern {

// White space before a call and after one is none of the text, and so is that around reasoning.
class AnswerWriter {
 public:
  static constexpr size_t kMostSpace = 4096;  // more white space in a row is text anyway

  AnswerWriter(std::shared_ptr<const ToolSet> tools, CallIds ids, uint64_t id_seed)
      : tools_(std::move(tools)), ids_(ids), id_seed_(id_seed) {}

  void text(std::string_view bytes) { write(text_, AnswerPart::text, bytes); }
  void reasoning(std::string_view bytes) { write(reasoning_, AnswerPart::reasoning, bytes); }
  // A mark that is no text: white space before it is dropped, and so is that behind it.
  void mark();
  // Whether there was no text yet but white space.
  bool blank() const { return !text_.any; }

  // Whether there is such a tool, where it must be a tool of the request. `id`: the model's own, or
  // empty.
  bool may_call(std::string_view name, bool known_only) const;
  void begin_call(std::string_view name, std::string_view id);
  void arguments(std::string_view json);
  void end_call(bool complete);
  bool call_open() const { return call_open_; }
  int n_calls() const { return n_calls_; }
  const Tool* tool(std::string_view name) const { return tools_->find(name); }

  // The text ends here.
  void finish();
  std::vector<AnswerEvent> take() { return std::exchange(events_, {}); }

 private:
  struct Channel {
    std::string space;    // held back
    bool leading = true;  // white space that comes now is dropped
    bool any = false;     // anything else has come
  };
  void write(Channel& channel, AnswerPart part, std::string_view bytes);
  void append(AnswerPart part, std::string_view bytes);
  std::string make_id(int call) const;

  std::shared_ptr<const ToolSet> tools_;
  const CallIds ids_;
  const uint64_t id_seed_;
  std::vector<AnswerEvent> events_;
  Channel text_{.leading = false}, reasoning_;
  int n_calls_ = 0;
  bool call_open_ = false;
};

}  // namespace quern
