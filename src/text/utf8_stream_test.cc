#include "text/utf8_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quern {
namespace {

const std::string kFffd = "\xEF\xBF\xBD";

struct Case {
  std::string bytes, text;
};

// The right-hand sides are what Python's bytes.decode("utf-8", "replace") gives.
const std::vector<Case> kCases = {
    {"", ""},
    {std::string("a\0b", 3), std::string("a\0b", 3)},
    {"h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"\x80", kFffd},
    {"\xC0\xAF", kFffd + kFffd},                          // overlong
    {"\xE0\x80\x80", kFffd + kFffd + kFffd},              // overlong
    {"\xED\xA0\x80", kFffd + kFffd + kFffd},              // surrogate
    {"\xF4\x90\x80\x80", kFffd + kFffd + kFffd + kFffd},  // above U+10FFFF
    {"\xF5", kFffd},
    {"\xE2\x82", kFffd},
    {"\xF0\x9F\x98", kFffd},
    {"\xE2\x82z", kFffd + "z"},
    {"\xF0\x9F\xE2\x82\xAC", kFffd + "\xE2\x82\xAC"},
    {"\xF0\x80\x80\x41", kFffd + kFffd + kFffd + "A"},
    {"\xC3\xC3\xA9", kFffd + "\xC3\xA9"},
    {"\xEF\xBB\xBFx", "\xEF\xBB\xBFx"},
};

TEST(Utf8Stream, WholeTextIsPythonsReplace) {
  for (const Case& c : kCases) EXPECT_EQ(to_valid_utf8(c.bytes), c.text);
}

TEST(Utf8Stream, EveryCutGivesTheSameTextAndOnlyValidPieces) {
  std::string all, want;
  for (const Case& c : kCases) {
    all += c.bytes + "|";
    want += c.text + "|";
  }
  for (size_t cut = 1; cut <= 9; ++cut) {
    Utf8Stream stream;
    std::string got;
    for (size_t at = 0; at < all.size(); at += cut) {
      const std::string piece = stream.push(std::string_view(all).substr(at, cut));
      EXPECT_TRUE(is_valid_utf8(piece));
      got += piece;
    }
    got += stream.flush();
    EXPECT_EQ(got, want) << "cut " << cut;
  }
}

TEST(Utf8Stream, HoldsOnlyAnUnfinishedCharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_TRUE(stream.pending());
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80"), "\xF0\x9F\x98\x80");
  EXPECT_FALSE(stream.pending());
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.push("\xE2"), "");
  EXPECT_EQ(stream.flush(), kFffd);
  EXPECT_EQ(stream.push("ok"), "ok");
}

TEST(Utf8Stream, ValidityAgreesWithTheReplacement) {
  for (const Case& c : kCases) EXPECT_EQ(is_valid_utf8(c.bytes), c.bytes == c.text);
}

}  // namespace
}  // namespace quern
