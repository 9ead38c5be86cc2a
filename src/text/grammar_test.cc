#include "text/grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/reference_tokenizer.h"

namespace quern {
namespace {

Tokenizer reference_tokenizer(const std::string& name) {
  const auto arrays = testing::text_reference(name);
  const auto packed = testing::unpacked(arrays);
  auto tokenizer = Tokenizer::from_vocabulary(testing::vocabulary_of(arrays, packed));
  CHECK(static_cast<bool>(tokenizer), "a reference vocabulary is good");
  return *tokenizer;
}

// SmolLM2's vocabulary, made once: 49,152 tokens.
struct Fixture {
  Fixture() : tokenizer(reference_tokenizer("smollm2")), end(*tokenizer.id_of("<|im_end|>")) {}

  GrammarEngine engine(GrammarEngine::Limits limits = {}) const {
    const int32_t ends[] = {end, *tokenizer.id_of("<|endoftext|>")};
    auto made = GrammarEngine::make(tokenizer, ends, limits);
    CHECK(static_cast<bool>(made), "the engine of a test can be made");
    return std::move(*made);
  }

  Tokenizer tokenizer;
  int32_t end;
};

const Fixture& fixture() {
  static const Fixture made;
  return made;
}

const GrammarEngine& engine() {
  static const GrammarEngine made = fixture().engine();
  return made;
}

GrammarMatcher matcher_of(GrammarKind kind, std::string text) {
  auto grammar = engine().compile({kind, std::move(text)});
  CHECK(static_cast<bool>(grammar), "a grammar of a test is good");
  auto matcher = GrammarMatcher::make(*grammar);
  CHECK(static_cast<bool>(matcher), "a grammar has matchers");
  return std::move(*matcher);
}

std::vector<int32_t> allowed(GrammarMatcher& matcher) {
  std::vector<uint32_t> bits(static_cast<size_t>(fixture().tokenizer.n_vocab()) / 32 + 1);
  auto done = matcher.mask(bits);
  EXPECT_TRUE(done) << done.error().what;
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < fixture().tokenizer.n_vocab(); ++id) {
    if (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1u) ids.push_back(id);
  }
  return ids;
}

bool consume_text(GrammarMatcher& matcher, std::string_view text) {
  auto ids = fixture().tokenizer.encode(text);
  return std::ranges::all_of(*ids,
                             [&](int32_t id) { return static_cast<bool>(matcher.consume(id)); });
}

bool accepts(GrammarKind kind, const std::string& grammar, std::string_view text) {
  GrammarMatcher matcher = matcher_of(kind, grammar);
  return consume_text(matcher, text) && matcher.may_end();
}

Code refused(GrammarKind kind, const std::string& text) {
  auto grammar = engine().compile({kind, text});
  EXPECT_FALSE(grammar) << text;
  return grammar ? Code::unavailable : grammar.error().code;
}

constexpr const char* kPerson =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":8},)"
    R"("age":{"type":"integer","minimum":0,"maximum":150}},)"
    R"("required":["name","age"],"additionalProperties":false})";

TEST(Grammar, EveryKindAcceptsWhatItSays) {
  EXPECT_TRUE(accepts(GrammarKind::json_object, "", R"({"a": [1, 2.5e3, null], "b": {}})"));
  EXPECT_FALSE(accepts(GrammarKind::json_object, "", "[1]"));
  EXPECT_TRUE(accepts(GrammarKind::json_schema, kPerson, R"({"name": "Ada", "age": 36})"));
  EXPECT_FALSE(accepts(GrammarKind::json_schema, kPerson, R"({"name": "Ada", "age": 151})"));
  EXPECT_TRUE(accepts(GrammarKind::regex, "[0-9]{4}-[0-9]{2}", "2026-11"));
  EXPECT_TRUE(accepts(GrammarKind::choice, R"(["red","green"])", "green"));
  EXPECT_FALSE(accepts(GrammarKind::choice, R"(["red","green"])", "blue"));
  EXPECT_TRUE(accepts(GrammarKind::lark, "start: \"(\" start \")\" | \"x\"", "(((x)))"));
  const std::string tools =
      R"({"tags":[{"begin":"<tool_call>\n","schema":{"const":{"name":"f"}},"end":"\n</tool_call>"}]})";
  EXPECT_TRUE(accepts(GrammarKind::tools, tools, "I see."));
  EXPECT_TRUE(
      accepts(GrammarKind::tools, tools, "Well: <tool_call>\n{\"name\": \"f\"}\n</tool_call> ok"));
  EXPECT_FALSE(accepts(GrammarKind::tools, tools, "<tool_call>\n{\"name\": \"g\"}"));
}

TEST(Grammar, SaysWhatItDoesNotEnforce) {
  const auto notes = [](const char* schema) {
    const auto grammar = engine().compile({.kind = GrammarKind::json_schema, .text = schema});
    return grammar ? grammar->notes() : std::vector{to_string(grammar.error())};
  };
  EXPECT_TRUE(notes(R"({"type": "string", "format": "date", "x-a": 1})").empty());
  for (int i = 0; i < 2; ++i) {  // the second one is a kept one
    const auto two = notes(R"({"items": {"format": "color"}, "allOf": [{"format": "x"}]})");
    ASSERT_EQ(two.size(), 2u);
    EXPECT_NE(two[0].find("/items: \"color\" was not enforced"), std::string::npos) << two[0];
    EXPECT_NE(two[1].find("/allOf/0: \"x\" was not enforced"), std::string::npos) << two[1];
  }
}

TEST(Grammar, WhatCannotBeIsATypedError) {
  EXPECT_EQ(refused(GrammarKind::none, ""), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::json_schema, "{"), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::json_schema, R"({"not":{}})"), Code::unsupported);
  EXPECT_EQ(refused(GrammarKind::json_schema, std::string(100000, '[')), Code::out_of_memory);
  EXPECT_EQ(refused(GrammarKind::regex, std::string(20000, 'a')), Code::out_of_memory);
  EXPECT_EQ(refused(GrammarKind::regex, "a(?=b)"), Code::unsupported);
  EXPECT_EQ(refused(GrammarKind::regex, "("), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::lark, "start: missing"), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::choice, "[]"), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::tools, "{}"), Code::invalid_argument);
  EXPECT_EQ(refused(GrammarKind::regex, "\xFF"), Code::invalid_argument);
  auto error = engine().compile({GrammarKind::json_schema, R"({"properties":{"a":{"not":{}}}})"});
  ASSERT_FALSE(error);
  EXPECT_NE(error.error().what.find("\"not\" at /properties/a"), std::string::npos)
      << error.error().what;
  EXPECT_FALSE(error.error().fix.empty());
}

// Any choice of allowed tokens makes a text of the language.
TEST(Grammar, RandomAnswersFit) {
  std::mt19937 random(1);
  auto grammar = engine().compile({GrammarKind::json_schema, kPerson});
  ASSERT_TRUE(grammar);
  int ended = 0;
  for (int run = 0; run < 100; ++run) {
    auto matcher = GrammarMatcher::make(*grammar);
    ASSERT_TRUE(matcher);
    std::string text;
    for (int n = 0; n < 200 && !matcher->stopped(); ++n) {
      const std::vector<int32_t> ids = allowed(*matcher);
      ASSERT_FALSE(ids.empty());
      const int32_t id = ids[random() % ids.size()];
      ASSERT_TRUE(matcher->consume(id));
      text += fixture().tokenizer.bytes(id, false);
    }
    if (!matcher->stopped()) continue;
    ++ended;
    EXPECT_TRUE(accepts(GrammarKind::json_schema, kPerson, text)) << text;
    const size_t at = text.find("\"age\"");
    ASSERT_NE(at, std::string::npos) << text;
    const int age = std::stoi(text.substr(text.find_first_of("0123456789", at)));
    EXPECT_TRUE(age >= 0 && age <= 150) << text;
  }
  EXPECT_GT(ended, 50);
}

TEST(Grammar, EndsAreAllowedExactlyWhereItMayEnd) {
  GrammarMatcher matcher = matcher_of(GrammarKind::regex, "ab+");
  ASSERT_TRUE(consume_text(matcher, "a"));
  EXPECT_FALSE(matcher.may_end());
  EXPECT_EQ(std::ranges::count(allowed(matcher), fixture().end), 0);
  EXPECT_FALSE(matcher.consume(fixture().end));
  ASSERT_TRUE(consume_text(matcher, "b"));
  EXPECT_TRUE(matcher.may_end());
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(std::ranges::count(allowed(matcher), fixture().end), 1);
  ASSERT_TRUE(matcher.consume(fixture().end));
  EXPECT_TRUE(matcher.stopped());
  const std::vector<int32_t> ends = allowed(matcher);
  EXPECT_EQ(ends.size(), 2u);
  EXPECT_EQ(std::ranges::count(ends, fixture().end), 1);
}

TEST(Grammar, NoControlTokenButTheEnd) {
  GrammarMatcher matcher = matcher_of(GrammarKind::regex, "(?s:.)*");
  const std::vector<int32_t> ids = allowed(matcher);
  EXPECT_GT(ids.size(), 40000u);
  int control = 0;
  for (const int32_t id : ids) control += fixture().tokenizer.is_special(id) ? 1 : 0;
  EXPECT_EQ(control, 2);  // the two ends
  const int32_t start = *fixture().tokenizer.id_of("<|im_start|>");
  EXPECT_EQ(std::ranges::count(ids, start), 0);
  EXPECT_FALSE(matcher.consume(start));
}

TEST(Grammar, ForcedTokensAreTheTokenizersOwn) {
  GrammarMatcher matcher = matcher_of(GrammarKind::choice, R"(["The quick brown fox jumps over"])");
  auto forced = matcher.forced();
  ASSERT_TRUE(forced);
  const auto want = *fixture().tokenizer.encode("The quick brown fox jumps over");
  ASSERT_GE(forced->size(), 4u);
  for (size_t i = 0; i < forced->size(); ++i) {
    EXPECT_EQ((*forced)[i], want[i]);
    ASSERT_EQ(allowed(matcher), std::vector<int32_t>{want[i]});
    ASSERT_TRUE(matcher.consume(want[i]));
  }
}

TEST(Grammar, TakesBackAndClones) {
  GrammarMatcher matcher = matcher_of(GrammarKind::json_object, "");
  const std::vector<int32_t> before = allowed(matcher);
  ASSERT_TRUE(consume_text(matcher, "{\""));
  const std::vector<int32_t> inside = allowed(matcher);
  auto clone = matcher.clone();
  ASSERT_TRUE(clone);
  ASSERT_TRUE(consume_text(matcher, "a"));
  ASSERT_TRUE(matcher.rollback(1));
  EXPECT_EQ(allowed(matcher), inside);
  const size_t n = fixture().tokenizer.encode("{\"")->size();
  ASSERT_TRUE(matcher.rollback(n));
  EXPECT_EQ(allowed(matcher), before);
  EXPECT_FALSE(matcher.rollback(1));
  EXPECT_EQ(allowed(*clone), inside);
}

TEST(Grammar, KeepsTheLastUsed) {
  const GrammarEngine small = fixture().engine({.kept = 2, .kept_bytes = 100});
  const auto compile = [&](const std::string& text) {
    EXPECT_TRUE(small.compile({GrammarKind::regex, text})) << text;
  };
  compile("a"), compile("b"), compile("a"), compile("c");
  EXPECT_EQ(small.kept(), 2u);
  compile(std::string(60, 'x')), compile(std::string(60, 'y'));
  EXPECT_EQ(small.kept(), 1u);
  compile(std::string(200, 'z'));
  EXPECT_EQ(small.kept(), 1u);
}

TEST(Grammar, ManyThreadsShareAnEngine) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 5; ++i) {
        const std::string regex = "[a-z]{1," + std::to_string(i + 2 + t % 2) + "}";
        EXPECT_TRUE(accepts(GrammarKind::regex, regex, "ab"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Grammar, AnEndTokenOutsideTheVocabularyIsRefused) {
  const int32_t ends[] = {fixture().tokenizer.n_vocab()};
  auto made = GrammarEngine::make(fixture().tokenizer, ends);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace quern
