// A chat's answer, taken apart, as OpenAI's API writes it: whole, and as deltas of a stream.
#pragma once
#include <optional>
#include <string>

#include "openai/json.h"
#include "openai/request.h"
#include "quern/tools.h"

namespace quern::openai {

// Reads an answer to this request. Errors: as Model::read_answer.
Result<AnswerReader> answer_reader(const Model& model, const Request& request,
                                   std::span<const int32_t> prompt, uint64_t id_seed);
Answer whole_answer(AnswerReader& reader, const Generation& generation);

// "stop", "length" or "tool_calls"; calls: there is at least one.
const char* finish_reason(Finish finish, bool calls);

// A message: content is null where there are calls alone; reasoning_content and tool_calls are
// there where there is anything to say.
Json answer_json(const Answer& answer, const Request& request);

// Deltas of one answer's chunks. A call's first one has its index, id, type and name, later ones
// its index and a piece of the arguments. The input of a custom tool comes whole.
class AnswerDeltas {
 public:
  // The request outlives this.
  explicit AnswerDeltas(const Request& request) : request_(request) {}
  // Nothing: the event says nothing here.
  std::optional<Json> delta(const AnswerEvent& event);
  bool any_calls() const { return any_calls_; }

 private:
  const Request& request_;
  bool any_calls_ = false, custom_ = false;
  std::string arguments_;  // of a custom tool
};

}  // namespace quern::openai
