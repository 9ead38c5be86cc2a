#include "cli/text_input.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace quern::cli {
namespace {

TEST(ParseIds, TakesAnyWhitespaceAndJson) {
  EXPECT_EQ(*parse_ids("1 2\n3\t4\r\n", "f"), (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(*parse_ids("[5, 6,7]\n", "f"), (std::vector<int32_t>{5, 6, 7}));
  EXPECT_TRUE(parse_ids("", "f")->empty());
  EXPECT_EQ(parse_ids("2147483647", "f")->at(0), 2147483647);
}

TEST(ParseIds, NamesTheLine) {
  for (const char* bad : {"1\n2x", "1\n-3", "1\n2147483648", "1\n0x10", "1\n1.5", "1\n+2"}) {
    const auto ids = parse_ids(bad, "ids.txt");
    ASSERT_FALSE(ids) << bad;
    EXPECT_EQ(ids.error().code, Code::invalid_argument);
    EXPECT_EQ(ids.error().where, "ids.txt, line 2");
  }
}

TEST(ReadFile, SaysWhyItCannot) {
  const auto missing = read_file("/nowhere/at/all");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_EQ(missing.error().where, "/nowhere/at/all");
  EXPECT_FALSE(read_file("/"));  // a folder
}

// Some editors and shells put a byte order mark before UTF-8.
TEST(ReadFile, LeavesAByteOrderMarkOut) {
  const struct {
    std::string bytes, text;
  } cases[] = {
      {"\xef\xbb\xbf{}", "{}"},
      {"\xef\xbb\xbf", ""},
      {"\xef\xbb\xbf\xef\xbb\xbfx", "\xef\xbb\xbfx"},  // one: the second is text
      {"x\xef\xbb\xbf", "x\xef\xbb\xbf"},
      {"\xef\xbb", "\xef\xbb"},
      {"\xff\xfe{", "\xff\xfe{"},
      {"", ""},
  };
  const std::string path = testing::TempDir() + "/mark_" + std::to_string(::getpid());
  for (const auto& c : cases) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(c.bytes.data(), 1, c.bytes.size(), file);
    std::fclose(file);
    EXPECT_EQ(*read_file(path), c.text);
    EXPECT_EQ(*read_text(std::nullopt, path), c.text);
  }
  std::remove(path.c_str());
}

TEST(ReadFile, TakesEveryByte) {
  const std::string path = testing::TempDir() + "/bytes_" + std::to_string(::getpid());
  const std::string bytes("a\0\r\n\xff tail\n", 11);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  std::fwrite(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  EXPECT_EQ(*read_file(path), bytes);
  EXPECT_EQ(*read_text(std::nullopt, path), bytes);
  EXPECT_EQ(*read_text("given", path), "given");
}

}  // namespace
}  // namespace quern::cli
