// Answers chosen at random under a grammar are calls that a parser reads and whose arguments fit.
#include "tool_calls/tool_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/reference_tokenizer.h"
#include "text/grammar.h"
#include "tool_calls/tool_call_parser.h"

namespace quern {
namespace {

// SmolLM2's vocabulary: marks are text in it.
struct Fixture {
  Fixture() : tokenizer(make()), end(*tokenizer.id_of("<|im_end|>")), engine(make_engine()) {}
  static Tokenizer make() {
    const auto arrays = testing::text_reference("smollm2");
    const auto packed = testing::unpacked(arrays);
    auto made = Tokenizer::from_vocabulary(testing::vocabulary_of(arrays, packed));
    CHECK(static_cast<bool>(made), "a reference vocabulary is good");
    return *made;
  }
  GrammarEngine make_engine() const {
    const int32_t ends[] = {end};
    auto made = GrammarEngine::make(tokenizer, ends);
    CHECK(static_cast<bool>(made), "the engine of a test can be made");
    return std::move(*made);
  }
  Tokenizer tokenizer;
  int32_t end;
  GrammarEngine engine;
};

const Fixture& fixture() {
  static const Fixture kMade;
  return kMade;
}

Result<> can_enforce(const std::string& schema) {
  auto made = fixture().engine.compile({.kind = GrammarKind::json_schema, .text = schema});
  if (!made) return made.error();
  return Ok{};
}

constexpr const char* kTools = R"([
  {"type": "function", "function": {"name": "get", "parameters": {
    "type": "object", "properties": {
      "city": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 99}},
    "required": ["city"], "additionalProperties": false}}},
  {"type": "function", "function": {"name": "get_all", "parameters": {
    "type": "object", "properties": {
      "unit": {"enum": ["C", "F"]}, "exact": {"type": "boolean"},
      "list": {"$ref": "#/$defs/list"}},
    "$defs": {"list": {"type": "array", "items": {"type": "integer", "maximum": 9, "minimum": 0}, "maxItems": 3}},
    "required": ["list", "unit"], "additionalProperties": false}}},
  {"type": "function", "function": {"name": "none"}}
])";

ToolSet tools_of(const std::string& json) {
  auto set = ToolSet::parse(json);
  CHECK(static_cast<bool>(set), "tools of a test are good");
  return std::move(*set);
}

Result<GrammarSpec> grammar_of(const char* dialect, const ToolRules& rules,
                               const std::string& tools = kTools) {
  return tool_grammar(*find_dialect(dialect), tools_of(tools), rules, can_enforce);
}

// An answer chosen under the masks: short tokens are taken more often, so that it ends. Empty where
// it does not within 300 tokens.
std::string sample(GrammarMatcher matcher, std::mt19937& random) {
  const Tokenizer& tokenizer = fixture().tokenizer;
  std::vector<uint32_t> bits(static_cast<size_t>(tokenizer.n_vocab()) / 32 + 1);
  std::string text;
  for (int n = 0; n < 300; ++n) {
    if (!matcher.mask(bits)) return "";
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < tokenizer.n_vocab(); ++id)
      if (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1u) ids.push_back(id);
    if (ids.empty()) return "";
    int32_t id = ids[random() % ids.size()];
    if (matcher.may_end() && random() % 4 != 0) return text;
    for (int i = 0; i < 4 && ids.size() > 4; ++i) {  // closing marks want a chance
      const int32_t other = ids[random() % ids.size()];
      const std::string bytes = tokenizer.bytes(other, false);
      if (bytes.size() < tokenizer.bytes(id, false).size() || bytes.starts_with('"') ||
          bytes.starts_with("</"))
        id = other;
    }
    if (id == fixture().end) return text;
    if (!matcher.consume(id)) return "";
    text += tokenizer.bytes(id, false);
  }
  return "";
}

Answer parsed(const char* dialect, const std::string& text, const ParserOptions& options = {},
              const std::string& tools = kTools) {
  ToolCallParser parser(std::make_shared<ToolDialect>(*find_dialect(dialect)),
                        {"<think>", "</think>"}, std::make_shared<ToolSet>(tools_of(tools)),
                        options);
  Answer answer;
  for (const AnswerEvent& event : parser.take_all(text)) answer.add(event);
  return answer;
}

TEST(ToolGrammar, ForcedAnswersAreValidCalls) {
  const ToolSet tools = tools_of(kTools);
  std::mt19937 random(11);
  for (const ToolDialect& dialect : tool_dialects()) {
    auto spec = grammar_of(dialect.name.c_str(), {.required = true});
    ASSERT_TRUE(spec) << dialect.name << ": " << spec.error().what;
    auto grammar = fixture().engine.compile(*spec);
    ASSERT_TRUE(grammar) << dialect.name << ": " << grammar.error().what << "\n" << spec->text;
    int ended = 0;
    for (int run = 0; run < 12; ++run) {
      auto matcher = GrammarMatcher::make(*grammar);
      ASSERT_TRUE(matcher);
      const std::string text = sample(std::move(*matcher), random);
      if (text.empty()) continue;
      ++ended;
      const Answer answer = parsed(dialect.name.c_str(), text);
      EXPECT_TRUE(answer.complete) << dialect.name << ": " << text;
      EXPECT_EQ(answer.text, "") << dialect.name << ": " << text;
      EXPECT_FALSE(answer.calls.empty()) << dialect.name << ": " << text;
      for (const ToolCall& call : answer.calls) {
        const Tool* tool = tools.find(call.name);
        ASSERT_TRUE(tool) << dialect.name << ": " << text;
        // Between tags a string has no greatest length.
        const auto fits = check_arguments(*tool, call.arguments);
        const bool tagged = dialect.forms[0].shape == CallShape::tagged;
        if (!fits && !(tagged && fits.error().what.find("characters") != std::string::npos))
          ADD_FAILURE() << dialect.name << ": " << fits.error().what << "\n" << text;
      }
    }
    EXPECT_GE(ended, 3) << dialect.name;
  }
}

bool accepts(const GrammarSpec& spec, std::string_view text) {
  auto grammar = fixture().engine.compile(spec);
  CHECK(static_cast<bool>(grammar), "a grammar of a test is good");
  auto matcher = GrammarMatcher::make(*grammar);
  const auto ids = *fixture().tokenizer.encode(text);
  return std::ranges::all_of(ids,
                             [&](int32_t id) { return static_cast<bool>(matcher->consume(id)); }) &&
         matcher->may_end();
}

constexpr const char* kStrict = R"([{"type": "function", "function": {"name": "f", "strict": true,
  "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
  "additionalProperties": false}}}, {"type": "function", "function": {"name": "g"}}])";

TEST(ToolGrammar, NothingIsHeldWithoutNeed) {
  EXPECT_EQ(grammar_of("hermes", {})->kind, GrammarKind::none);
  EXPECT_EQ(grammar_of("hermes", {}, "[]")->kind, GrammarKind::none);
}

TEST(ToolGrammar, StrictToolsAreHeldOnceACallBegins) {
  for (const char* dialect :
       {"hermes", "qwen3-coder", "mistral", "llama3", "pythonic", "functionary-3.2"}) {
    const auto spec = grammar_of(dialect, {}, kStrict);
    ASSERT_TRUE(spec) << dialect;
    EXPECT_TRUE(accepts(*spec, std::string_view(dialect) == "functionary-3.2" ? "all\nHi." : "Hi."))
        << dialect;
  }
  const auto hermes = grammar_of("hermes", {}, kStrict);
  EXPECT_TRUE(accepts(
      *hermes, "Hi.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>"));
  EXPECT_FALSE(accepts(
      *hermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"1\"}}\n</tool_call>"));
  const auto llama = grammar_of("llama3", {}, kStrict);
  EXPECT_TRUE(accepts(*llama, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}"));
  EXPECT_FALSE(accepts(*llama, "{\"name\": \"f\", \"parameters\": {\"a\": \"1\"}}"));
}

TEST(ToolGrammar, ChoiceNamesAndNumberOfCalls) {
  const std::string f = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
  const std::string g = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";
  const auto named = grammar_of("hermes", {.required = true, .names = {"f"}}, kStrict);
  EXPECT_TRUE(accepts(*named, f));
  EXPECT_TRUE(accepts(*named, f + "\n" + f));
  EXPECT_FALSE(accepts(*named, g));
  EXPECT_FALSE(accepts(*named, "Hi. " + f));
  EXPECT_FALSE(accepts(*named, ""));
  const auto one = grammar_of("hermes", {.required = true, .parallel = false}, kStrict);
  EXPECT_TRUE(accepts(*one, g));
  EXPECT_FALSE(accepts(*one, g + g));
  const auto allowed = grammar_of("hermes", {.names = {"g"}}, kStrict);
  EXPECT_TRUE(accepts(*allowed, "Hi."));
  EXPECT_TRUE(accepts(*allowed, g));
  EXPECT_FALSE(accepts(*allowed, f));
}

TEST(ToolGrammar, ReasoningComesFirst) {
  const std::string g = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";
  const ReasoningFormat think = {"<think>", "</think>"};
  const auto open =
      grammar_of("hermes", {.required = true, .reasoning = think, .reasoning_open = true}, kStrict);
  EXPECT_TRUE(accepts(*open, "So.\n</think>\n\n" + g));
  EXPECT_FALSE(accepts(*open, g));
  const auto may = grammar_of("hermes", {.required = true, .reasoning = think}, kStrict);
  EXPECT_TRUE(accepts(*may, g));
  EXPECT_TRUE(accepts(*may, "<think>So.</think>" + g));
}

TEST(ToolGrammar, WhatCannotBeEnforced) {
  const auto tools = [](const char* schema, bool strict) {
    return std::string(R"([{"type": "function", "function": {"name": "f", "strict": )") +
           (strict ? "true" : "false") + R"(, "parameters": )" + schema + "}}]";
  };
  const char* excluded = R"({"type": "object", "properties": {"a": {"not": {"const": 1}}}})";
  const auto refused = grammar_of("hermes", {}, tools(excluded, true));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unsupported);
  EXPECT_NE(refused.error().what.find("\"f\""), std::string::npos) << refused.error().what;
  EXPECT_NE(refused.error().what.find("\"not\""), std::string::npos) << refused.error().what;
  const auto held = grammar_of("hermes", {.required = true}, tools(excluded, false));
  ASSERT_TRUE(held);
  EXPECT_TRUE(
      accepts(*held, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>"));
  // Between tags a string is text.
  const char* pattern =
      R"({"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}})";
  EXPECT_TRUE(grammar_of("hermes", {}, tools(pattern, true)));
  const auto tagged = grammar_of("qwen3-coder", {}, tools(pattern, true));
  ASSERT_FALSE(tagged);
  EXPECT_NE(tagged.error().what.find("\"pattern\" at /properties/a"), std::string::npos)
      << tagged.error().what;
  EXPECT_TRUE(grammar_of("qwen3-coder", {.required = true}, tools(pattern, false)));
}

TEST(ToolGrammar, WhatCannotBeAsked) {
  EXPECT_EQ(grammar_of("hermes", {.names = {"x"}}).error().code, Code::invalid_argument);
  EXPECT_EQ(grammar_of("hermes", {.required = true}, "").error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace quern
