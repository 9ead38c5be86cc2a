// Readers of calls: one per shape. Each begins behind CallForm::begin and is fed byte by byte.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "tool_calls/answer_writer.h"
#include "tool_calls/literal.h"
#include "tool_calls/tool_dialect.h"
#include "tool_calls/value_reader.h"

namespace quern {

class CallReader {
 public:
  static constexpr size_t kMostHeld = size_t{1} << 20;  // bytes of a value that must be whole
  static constexpr size_t kMostName = 256, kMostBetween = 64;

  struct Step {
    enum class Kind {
      more,    // the calls go on
      done,    // they are over with this byte
      left,    // they were over before the last `back` bytes
      failed,  // no call, or none behind those there were: what came since is text; the last
               // `back` bytes are to be read anew
    };
    Kind kind = Kind::more;
    size_t back = 0;
  };

  CallReader(const CallForm& form, AnswerWriter& writer) : form_(form), writer_(writer) {}
  virtual ~CallReader() = default;
  CallReader(const CallReader&) = delete;
  CallReader& operator=(const CallReader&) = delete;

  virtual Step feed(char c) = 0;
  // The text ends here: ends the call that is open.
  virtual void finish();

 protected:
  using Kind = Step::Kind;

  bool known_only() const { return form_.known_only || form_.begin.empty(); }
  bool may_call(std::string_view name) const { return writer_.may_call(name, known_only()); }

  // A value of the arguments; what it writes goes to the writer.
  ValueReader::Step feed_value(char c);
  // No JSON can be made of the rest: it is passed on as it is, up to the form's end.
  Step begin_raw(char c);
  Step raw(char c);
  bool is_raw() const { return raw_ != nullptr; }

  const CallForm& form_;
  AnswerWriter& writer_;
  ValueReader value_;
  std::string out_;  // what a value has written
  std::unique_ptr<FirstPlace> raw_;
};

// form.close and form.end behind a call, each of which may be missing.
class CallTail {
 public:
  explicit CallTail(const CallForm& form);
  bool empty() const { return texts_.empty(); }
  CallReader::Step feed(char c);

 private:
  std::vector<std::string> texts_;
  size_t text_ = 0, n_matched_ = 0;
};

std::unique_ptr<CallReader> json_calls(const CallForm& form, AnswerWriter& writer);
std::unique_ptr<CallReader> named_call(const CallForm& form, AnswerWriter& writer);
// Where the name is known already: behind it.
std::unique_ptr<CallReader> call_of(std::string_view name, const CallForm& form,
                                    AnswerWriter& writer);
std::unique_ptr<CallReader> tagged_call(const CallForm& form, AnswerWriter& writer);
// in_list: behind its "[".
std::unique_ptr<CallReader> python_calls(const CallForm& form, AnswerWriter& writer, bool in_list);

bool is_call_space(char c);
bool is_name_byte(char c);

}  // namespace quern
