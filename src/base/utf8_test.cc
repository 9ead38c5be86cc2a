#include "base/utf8.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(Utf8, TellsValidFromInvalid) {
  for (const char* text : {"", "abc", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char* text : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                           "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                           "\xc3", "\xe2\x82", "\xf0\x9f\x98", "ok\xc3("})
    EXPECT_FALSE(is_utf8(text)) << printable(text);
}

TEST(Utf8, QuotesWhatATerminalCouldMisread) {
  EXPECT_EQ(printable("blk.0"), "'blk.0'");
  EXPECT_EQ(printable("a\x1b[2J\n\x7f"), "'a\\x1b[2J\\x0a\\x7f'");
  EXPECT_EQ(printable("\xff€\xc2\x9b"), "'\\xff€\\xc2\\x9b'");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "'\\x00'");
  EXPECT_EQ(printable(std::string(1000, 'x')).size(), 85u);
}

}  // namespace
}  // namespace quern
