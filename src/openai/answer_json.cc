#include "openai/answer_json.h"

#include <algorithm>

namespace quern::openai {

namespace {

bool is_custom(const Request& request, const std::string& name) {
  return std::ranges::count(request.custom_tools, name) > 0;
}

// What a custom tool is given; all that was written where it is not the function's argument.
std::string input_of(const std::string& arguments) {
  const Json value = Json::parse(arguments, nullptr, false);
  if (!value.is_object() || !value.contains("input") || !value["input"].is_string())
    return arguments;
  return value["input"].get<std::string>();
}

Json call_json(const ToolCall& call, const Request& request) {
  if (is_custom(request, call.name))
    return {{"id", call.id},
            {"type", "custom"},
            {"custom", {{"name", call.name}, {"input", input_of(call.arguments)}}}};
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

}  // namespace

Result<AnswerReader> answer_reader(const Model& model, const Request& request,
                                   std::span<const int32_t> prompt, uint64_t id_seed) {
  return model.read_answer(prompt, {.tools = request.chat.tools}, id_seed);
}

Answer whole_answer(AnswerReader& reader, const Generation& generation) {
  Answer answer;
  for (const AnswerEvent& event : reader.push({.text = generation.text, .ids = generation.ids}))
    answer.add(event);
  for (const AnswerEvent& event : reader.finish()) answer.add(event);
  return answer;
}

const char* finish_reason(Finish finish, bool calls) {
  if (finish != Finish::stop) return "length";
  return calls ? "tool_calls" : "stop";
}

Json answer_json(const Answer& answer, const Request& request) {
  Json message = {{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}};
  if (answer.text.empty() && !answer.calls.empty()) message["content"] = nullptr;
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  for (const ToolCall& call : answer.calls)
    message["tool_calls"].push_back(call_json(call, request));
  return message;
}

std::optional<Json> AnswerDeltas::delta(const AnswerEvent& event) {
  const auto call = [&](Json more) {
    more["index"] = event.call;
    return Json{{"tool_calls", Json::array({std::move(more)})}};
  };
  switch (event.part) {
    case AnswerPart::text:
      return Json{{"content", event.text}};
    case AnswerPart::reasoning:
      return Json{{"reasoning_content", event.text}};
    case AnswerPart::call_begin:
      any_calls_ = true;
      custom_ = is_custom(request_, event.name);
      arguments_.clear();
      if (custom_)
        return call({{"id", event.id},
                     {"type", "custom"},
                     {"custom", {{"name", event.name}, {"input", ""}}}});
      return call({{"id", event.id},
                   {"type", "function"},
                   {"function", {{"name", event.name}, {"arguments", ""}}}});
    case AnswerPart::arguments:
      if (custom_) return arguments_ += event.text, std::nullopt;
      return call({{"function", {{"arguments", event.text}}}});
    case AnswerPart::call_end:
      break;
  }
  if (!custom_) return std::nullopt;
  return call({{"custom", {{"input", input_of(arguments_)}}}});
}

}  // namespace quern::openai
