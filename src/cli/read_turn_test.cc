#include <gtest/gtest.h>

#include <deque>

#include "cli/line_source.h"

namespace quern::cli {
namespace {

class Script : public LineSource {
 public:
  explicit Script(std::deque<Line> lines) : lines_(std::move(lines)) {}
  Line read(const std::string& prompt) override {
    prompts += prompt;
    if (lines_.empty()) return {};
    Line line = lines_.front();
    lines_.pop_front();
    return line;
  }
  std::string prompts;

 private:
  std::deque<Line> lines_;
};

Line typed(const char* text) { return {LineKind::typed, text}; }

TEST(ReadTurn, TakesOneLine) {
  Script script({typed("hello"), typed("next")});
  EXPECT_EQ(read_turn(script, ">", ".").text, "hello");
  EXPECT_EQ(read_turn(script, ">", ".").text, "next");
  EXPECT_EQ(read_turn(script, ">", ".").kind, LineKind::end);
}

TEST(ReadTurn, BackslashGoesOn) {
  Script script({typed("one\\"), typed("two\\"), typed("three"), typed("four")});
  EXPECT_EQ(read_turn(script, ">", ".").text, "one\ntwo\nthree");
  EXPECT_EQ(script.prompts, ">..");
}

TEST(ReadTurn, QuotesHoldSeveralLines) {
  Script script({typed("\"\"\"one"), typed(""), typed("two \\"), typed("three\"\"\""), typed("x")});
  EXPECT_EQ(read_turn(script, ">", ".").text, "one\n\ntwo \\\nthree");
  EXPECT_EQ(read_turn(script, ">", ".").text, "x");
}

TEST(ReadTurn, QuotesMayEndOnTheirLine) {
  Script script({typed("\"\"\"all here\"\"\"")});
  EXPECT_EQ(read_turn(script, ">", ".").text, "all here");
}

TEST(ReadTurn, CtrlCDropsWhatWasBegun) {
  Script script({typed("one\\"), {LineKind::interrupted, ""}, typed("two")});
  EXPECT_EQ(read_turn(script, ">", ".").kind, LineKind::interrupted);
  EXPECT_EQ(read_turn(script, ">", ".").text, "two");
}

TEST(ReadTurn, EndOfInputKeepsWhatWasBegun) {
  Script quoted({typed("\"\"\"one"), typed("two")});
  EXPECT_EQ(read_turn(quoted, ">", ".").text, "one\ntwo");
  Script continued({typed("one\\")});
  EXPECT_EQ(read_turn(continued, ">", ".").text, "one\n");
}

}  // namespace
}  // namespace quern::cli
