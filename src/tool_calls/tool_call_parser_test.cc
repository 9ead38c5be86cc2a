// Every dialect's cases (tests/tool_calls/cases), whole and in pieces.
#include "tool_calls/tool_call_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "tool_calls/case_tools.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string dialect, name, input, want;
  bool open() const { return name.ends_with("(open)"); }
};

// "==== name", the answer, "----", what is expected of it.
std::vector<Case> cases_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<Case> cases;
  for (size_t at = text.find("==== "); at != std::string::npos;) {
    const size_t next = std::min(text.find("\n==== ", at), text.size() - 1);
    const std::string one = text.substr(at, next - at);
    const size_t line = one.find('\n'), mark = one.find("\n----\n");
    CHECK(line <= mark && mark != std::string::npos, "a case has two parts");
    const std::string input = line == mark ? "" : one.substr(line + 1, mark - line - 1);
    cases.push_back({path.stem().string(), one.substr(5, line - 5), input, one.substr(mark + 6)});
    at = next + 1 < text.size() ? next + 1 : std::string::npos;
  }
  return cases;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> kCases = [] {
    std::vector<Case> all;
    for (const auto& entry : fs::directory_iterator(QUERN_SOURCE_DIR "/tests/tool_calls/cases")) {
      const std::vector<Case> some = cases_of(entry.path());
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return kCases;
}

ToolCallParser parser_of(const Case& c) {
  const ToolDialect* dialect = find_dialect(c.dialect);
  CHECK(dialect != nullptr, "a file of cases is named after its dialect");
  const bool mistral = c.dialect.starts_with("mistral");
  return {std::make_shared<ToolDialect>(*dialect),
          mistral ? ReasoningFormat{"[THINK]", "[/THINK]"} : ReasoningFormat{"<think>", "</think>"},
          testing::case_tools(),
          {.reasoning_open = c.open()}};
}

// Text as it is, "(reasoning)", "[name arguments]", and "...]" where a call is not complete.
std::string shown(const std::vector<AnswerEvent>& events) {
  std::string text;
  AnswerPart last = AnswerPart::text;
  for (const AnswerEvent& event : events) {
    const bool same = event.part == last;
    if (last == AnswerPart::reasoning && !same) text += ')';
    if (event.part == AnswerPart::reasoning && !same) text += '(';
    last = event.part;
    if (event.part == AnswerPart::call_begin) text += '[' + event.name + ' ';
    text += event.text;
    if (event.part == AnswerPart::call_end) text += event.complete ? "]" : "...]";
  }
  return last == AnswerPart::reasoning ? text + ')' : text;
}

// Neighbours that say more of the same, as one.
std::vector<AnswerEvent> merged(const std::vector<AnswerEvent>& events) {
  std::vector<AnswerEvent> out;
  for (const AnswerEvent& event : events) {
    if (!out.empty() && out.back().part == event.part && !event.text.empty()) {
      out.back().text += event.text;
    } else {
      out.push_back(event);
    }
  }
  return out;
}

std::vector<AnswerEvent> whole(const Case& c) { return parser_of(c).take_all(c.input); }

// Cut at these places, in order.
std::vector<AnswerEvent> in_pieces(const Case& c, const std::vector<size_t>& cuts) {
  ToolCallParser parser = parser_of(c);
  std::vector<AnswerEvent> events;
  const auto take = [&] {
    const auto some = parser.take();
    events.insert(events.end(), some.begin(), some.end());
  };
  size_t at = 0;
  for (const size_t cut : cuts) {
    parser.push(std::string_view(c.input).substr(at, cut - at));
    at = cut;
    take();
  }
  parser.push(std::string_view(c.input).substr(at));
  parser.finish();
  take();
  return merged(events);
}

TEST(ToolCallParser, EveryDialectHasItsCases) {
  for (const ToolDialect& dialect : tool_dialects())
    EXPECT_GE(std::ranges::count(all_cases(), dialect.name, &Case::dialect), 6) << dialect.name;
}

TEST(ToolCallParser, Cases) {
  for (const Case& c : all_cases())
    EXPECT_EQ(shown(whole(c)), c.want) << c.dialect << ": " << c.name;
}

TEST(ToolCallParser, ArgumentsOfCompleteCallsAreObjects) {
  for (const Case& c : all_cases()) {
    Answer answer;
    for (const AnswerEvent& event : whole(c)) answer.add(event);
    if (!answer.complete) continue;
    for (const ToolCall& call : answer.calls)
      EXPECT_TRUE(nlohmann::json::parse(call.arguments, nullptr, false).is_object())
          << c.dialect << ": " << c.name << ": " << call.arguments;
  }
}

TEST(ToolCallParser, AnyTwoPiecesGiveTheSame) {
  for (const Case& c : all_cases()) {
    const auto want = whole(c);
    for (size_t cut = 0; cut <= c.input.size(); ++cut)
      ASSERT_EQ(in_pieces(c, {cut}), want) << c.dialect << ": " << c.name << " cut at " << cut;
  }
}

TEST(ToolCallParser, AnyPiecesGiveTheSame) {
  std::mt19937 random(3);
  for (const Case& c : all_cases()) {
    const auto want = whole(c);
    for (int run = 0; run < 20; ++run) {
      std::vector<size_t> cuts;
      for (size_t at = random() % 9; at < c.input.size(); at += 1 + random() % 9)
        cuts.push_back(at);
      ASSERT_EQ(in_pieces(c, cuts), want) << c.dialect << ": " << c.name;
    }
  }
}

// A prefix never says what the whole does not: what has been given stays.
TEST(ToolCallParser, WhatWasGivenStays) {
  for (const Case& c : all_cases()) {
    const std::string want = shown(whole(c));
    for (size_t n = 0; n < c.input.size(); ++n) {
      ToolCallParser parser = parser_of(c);
      parser.push(std::string_view(c.input).substr(0, n));
      std::string given = shown(parser.take());
      if (given.ends_with(')')) given.pop_back();  // of reasoning that goes on
      ASSERT_EQ(want.substr(0, given.size()), given) << c.dialect << ": " << c.name;
    }
  }
}

// Marks that are control tokens count as those that are text, and are no text themselves.
TEST(ToolCallParser, ControlTokens) {
  ToolCallParser parser = parser_of({"hermes", "", "", ""});
  parser.push("a ");
  parser.push_control("<|im_end|>");
  parser.push("b");
  parser.push_control("<tool_call>");
  parser.push("\n{\"name\": \"f\", \"arguments\": {}}");
  parser.push_control("</tool_call>");
  parser.push_control("<tool_call>");
  parser.push("none");
  parser.finish();
  EXPECT_EQ(shown(parser.take()), "a b[f {}]none");
}

TEST(ToolCallParser, AControlTokenEndsReasoningThatWasNotEnded) {
  ToolCallParser parser = parser_of({"hermes", "(open)", "", ""});
  parser.push("So <tool_call> it is. ");
  parser.push_control("<tool_call>");
  parser.push("{\"name\": \"f\", \"arguments\": {}}");
  parser.push_control("</tool_call>");
  parser.finish();
  EXPECT_EQ(shown(parser.take()), "(So <tool_call> it is.)[f {}]");
}

TEST(ToolCallParser, IdsAreAsTemplatesWantThem) {
  const auto id_of = [](const char* dialect, std::string_view text) {
    for (const AnswerEvent& event : parser_of({dialect, "", "", ""}).take_all(text))
      if (event.part == AnswerPart::call_begin) return event.id;
    return std::string();
  };
  const std::string openai = id_of("hermes", "<tool_call>{\"name\": \"f\"}</tool_call>");
  EXPECT_EQ(openai.size(), 29u);
  EXPECT_TRUE(openai.starts_with("call_"));
  const std::string mistral = id_of("mistral", "[TOOL_CALLS][{\"name\": \"f\"}]");
  EXPECT_EQ(mistral.size(), 9u);
  EXPECT_TRUE(std::ranges::all_of(mistral, [](unsigned char c) { return std::isalnum(c) != 0; }));
  EXPECT_EQ(
      id_of("kimi-k2",
            "<|tool_call_begin|>functions.f:3<|tool_call_argument_begin|>{}<|tool_call_end|>"),
      "functions.f:3");
}

TEST(ToolCallParser, CallsHaveTheirOwnIds) {
  const Case c{"hermes", "",
               "<tool_call>{\"name\": \"f\"}</tool_call><tool_call>{\"name\": \"f\"}</tool_call>",
               ""};
  Answer answer;
  for (const AnswerEvent& event : whole(c)) answer.add(event);
  ASSERT_EQ(answer.calls.size(), 2u);
  EXPECT_NE(answer.calls[0].id, answer.calls[1].id);
}

TEST(ToolCallParser, WithoutToolsOnlyReasoningIsToldApart) {
  ToolCallParser parser(std::make_shared<ToolDialect>(*find_dialect("hermes")),
                        {"<think>", "</think>"}, std::make_shared<ToolSet>(), {.calls = false});
  EXPECT_EQ(shown(parser.take_all("<think>a</think><tool_call>{\"name\": \"f\"}</tool_call>")),
            "(a)<tool_call>{\"name\": \"f\"}</tool_call>");
}

// What is held back is bounded: text that only looks like a call comes at last.
TEST(ToolCallParser, HoldsBackABoundedPart) {
  const std::string head = "<tool_call>{\"arguments\": {\"a\": \"";
  ToolCallParser parser = parser_of({"hermes", "", "", ""});
  parser.push(head);
  const std::string more(size_t{1} << 16, 'x');
  size_t given = 0;
  for (int i = 0; i < 20; ++i) {
    parser.push(more);
    for (const AnswerEvent& event : parser.take()) given += event.text.size();
  }
  EXPECT_GT(given, size_t{1} << 20);
  parser.finish();
  for (const AnswerEvent& event : parser.take()) given += event.text.size();
  EXPECT_EQ(given, head.size() + 20 * more.size());
}

TEST(ToolCallParser, DeepBracketsAreNoCall) {
  const std::string deep =
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": " + std::string(100000, '[');
  const auto events = parser_of({"hermes", "", "", ""}).take_all(deep);
  EXPECT_FALSE(events.back().complete);
}

}  // namespace
}  // namespace quern
