#include "tool_calls/value_reader.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace quern {
namespace {

// The value; "!" behind what was written where it is none, "?" where it is not over.
std::string read(std::string_view text) {
  ValueReader reader;
  std::string out;
  for (const char c : text) {
    switch (reader.feed(c, out)) {
      case ValueReader::Step::more:
        break;
      case ValueReader::Step::bad:
        return out + "!";
      default:
        return out;
    }
  }
  return reader.finish(out) == ValueReader::Step::bad ? out + "?" : out;
}

TEST(ValueReader, JsonStaysWithoutItsWhiteSpace) {
  EXPECT_EQ(read(R"( {"a" : [1, -2.5e+3, true], "b": {}, "c": null} )"),
            R"({"a":[1,-2.5e+3,true],"b":{},"c":null})");
  EXPECT_EQ(read(R"("a\"\\\/\b\f\n\r\t\u00e9")"), R"("a\"\\\/\b\f\n\r\t\u00e9")");
  EXPECT_EQ(read("[]"), "[]");
  EXPECT_EQ(read("12 "), "12");
  EXPECT_EQ(read("12"), "12");
}

TEST(ValueReader, RepairsWhatIsCertain) {
  EXPECT_EQ(read("{'a': 'it\\'s \"b\"'}"), R"({"a":"it's \"b\""})");
  EXPECT_EQ(read("[True, False, None]"), "[true,false,null]");
  EXPECT_EQ(read("(1, (2,),)"), "[1,[2]]");
  EXPECT_EQ(read("{\"a\": 1, }"), R"({"a":1})");
  EXPECT_EQ(read("{a: 1, b-c: [2,]}"), R"({"a":1,"b-c":[2]})");
  EXPECT_EQ(read("[.5, 5., +1, -.5]"), "[0.5,5.0,1,-0.5]");
  EXPECT_EQ(read("\"a\nb\tc\""), R"("a\nb\tc")");
  EXPECT_EQ(read(R"("\d \x41 \x4 \u12")"), R"("\\d \u0041 \\x4 \\u12")");
  EXPECT_EQ(read(R"("\ud83d\ude00")"), R"("\ud83d\ude00")");
  EXPECT_EQ(read(R"("\ud83d \ude00 \ud83d\n")"), R"("\ufffd \ufffd \ufffd\n")");
  EXPECT_EQ(read("\x01 a \"b\" \\ \x01"), R"(" a \"b\" \\ ")");
}

TEST(ValueReader, RefusesTheRest) {
  for (const char* text : {"=", "]", "{1: 2}", "{\"a\" 1}", "[1 2]", "{\"a\":}", "tru", "[01]",
                           "[1.2.3]", "{\"a\": b}", "[1}", "[,]", "nul "})
    EXPECT_NE(read(text).find_first_of("!?"), std::string::npos) << text;
  EXPECT_TRUE(read(std::string(1000, '[')).ends_with('!'));
  EXPECT_TRUE(read(std::string(1000, '1')).ends_with('!'));
  EXPECT_EQ(read("{\"a\": [1, \"b"), "{\"a\":[1,\"b?");
}

TEST(ValueReader, KnowsWhatItReads) {
  for (const auto& [text, kind] : {std::pair{"{}", '{'}, {"(1)", '['}, {"'a'", '"'}, {"1 ", 'w'}}) {
    ValueReader reader;
    std::string out;
    reader.feed(text[0], out);
    EXPECT_EQ(reader.kind(), kind) << text;
  }
}

// Whatever is read to its end is JSON.
TEST(ValueReader, RandomTextGivesJson) {
  constexpr std::string_view kBytes = "{}[]()\"',:\\ \n10.-+eEuxd8af_truefalsn\x01";
  std::mt19937 random(5);
  int whole = 0;
  for (int run = 0; run < 200000; ++run) {
    std::string text = run % 2 == 0 ? "{\"a\":" : "[";
    const size_t n = random() % 24;
    for (size_t i = 0; i < n; ++i) text += kBytes[random() % kBytes.size()];
    const std::string json = read(text);
    if (json.ends_with('!') || json.ends_with('?')) continue;
    ++whole;
    ASSERT_FALSE(nlohmann::json::parse(json, nullptr, false).is_discarded()) << text << " " << json;
  }
  EXPECT_GT(whole, 1000);
}

}  // namespace
}  // namespace quern
