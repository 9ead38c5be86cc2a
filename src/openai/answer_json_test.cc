#include "openai/answer_json.h"

#include <gtest/gtest.h>

namespace quern::openai {
namespace {

const std::vector<AnswerEvent>& events() {
  static const std::vector<AnswerEvent> kEvents = {
      {.part = AnswerPart::reasoning, .text = "Hm."},
      {.part = AnswerPart::text, .text = "I look."},
      {.part = AnswerPart::call_begin, .call = 0, .id = "call_1", .name = "f"},
      {.part = AnswerPart::arguments, .text = "{\"a\":", .call = 0},
      {.part = AnswerPart::arguments, .text = "1}", .call = 0},
      {.part = AnswerPart::call_end, .call = 0},
      {.part = AnswerPart::call_begin, .call = 1, .id = "call_2", .name = "c"},
      {.part = AnswerPart::arguments, .text = "{\"input\":\"x", .call = 1},
      {.part = AnswerPart::arguments, .text = "y\"}", .call = 1},
      {.part = AnswerPart::call_end, .call = 1},
  };
  return kEvents;
}

Request request() {
  Request made;
  made.custom_tools = {"c"};
  return made;
}

TEST(AnswerJson, AWholeMessage) {
  Answer answer;
  for (const AnswerEvent& event : events()) answer.add(event);
  EXPECT_EQ(answer_json(answer, request()), Json::parse(R"({
    "role": "assistant", "content": "I look.", "refusal": null, "reasoning_content": "Hm.",
    "tool_calls": [
      {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
      {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "xy"}}]})"));
  answer.text.clear(), answer.reasoning.clear();
  EXPECT_TRUE(answer_json(answer, request())["content"].is_null());
  EXPECT_FALSE(answer_json(answer, request()).contains("reasoning_content"));
  EXPECT_EQ(answer_json(Answer{}, request()).dump(),
            R"({"role":"assistant","content":"","refusal":null})");
}

TEST(AnswerJson, Deltas) {
  const Request asked = request();
  AnswerDeltas deltas(asked);
  std::vector<std::string> said;
  for (const AnswerEvent& event : events())
    if (const auto delta = deltas.delta(event)) said.push_back(delta->dump());
  EXPECT_TRUE(deltas.any_calls());
  const std::vector<Json> want = {
      Json::parse(R"({"reasoning_content": "Hm."})"),
      Json::parse(R"({"content": "I look."})"),
      Json::parse(R"({"tool_calls": [{"id": "call_1", "type": "function",
        "function": {"name": "f", "arguments": ""}, "index": 0}]})"),
      Json::parse(R"({"tool_calls": [{"function": {"arguments": "{\"a\":"}, "index": 0}]})"),
      Json::parse(R"({"tool_calls": [{"function": {"arguments": "1}"}, "index": 0}]})"),
      Json::parse(R"({"tool_calls": [{"id": "call_2", "type": "custom",
        "custom": {"name": "c", "input": ""}, "index": 1}]})"),
      Json::parse(R"({"tool_calls": [{"custom": {"input": "xy"}, "index": 1}]})"),
  };
  ASSERT_EQ(said.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(Json::parse(said[i]), want[i]);
}

TEST(AnswerJson, Reasons) {
  EXPECT_STREQ(finish_reason(Finish::stop, false), "stop");
  EXPECT_STREQ(finish_reason(Finish::stop, true), "tool_calls");
  EXPECT_STREQ(finish_reason(Finish::length, true), "length");
}

}  // namespace
}  // namespace quern::openai
