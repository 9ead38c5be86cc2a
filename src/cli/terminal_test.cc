#include "cli/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/exit_code.h"
#include "cli/failure.h"

namespace quern::cli {
namespace {

TEST(Terminal, ControlCharactersBecomeVisible) {
  EXPECT_EQ(without_controls("a\tb\n"), "a\tb\n");
  EXPECT_EQ(without_controls("\033[31mred\x7f\r"), "\xef\xbf\xbd[31mred\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(without_controls("\xc2\x9b"
                             "1m\xc3\xa9"),
            "\xef\xbf\xbd"
            "1m\xc3\xa9");
  EXPECT_EQ(without_controls(std::string("\0x", 2)), "\xef\xbf\xbdx");
}

TEST(Terminal, AFileIsNone) {
  const int fd = open("/dev/null", O_RDWR);
  EXPECT_FALSE(is_terminal(fd));
  EXPECT_TRUE(palette(fd).red.empty());
  EXPECT_EQ(terminal_width(fd), 80);
  close(fd);
}

TEST(Failure, SaysWhatWhereAndWhatToDo) {
  const Error error{Code::corrupt, "7 dimensions", "m.gguf, byte 8", "download it again"};
  EXPECT_EQ(format_error(error, {}),
            "quern: 7 dimensions\n  where: m.gguf, byte 8\n  do:    download it again\n");
  EXPECT_EQ(format_error({Code::corrupt, "x", {}, {}}, {}), "quern: x\n");
}

TEST(Failure, DoesNotLetAFileNameSteerTheTerminal) {
  EXPECT_EQ(format_error({Code::corrupt, "x\033[2J", {}, {}}, {}), "quern: x\xef\xbf\xbd[2J\n");
}

TEST(ExitCode, FollowsTheTable) {
  EXPECT_EQ(exit_code(Code::invalid_argument), 2);
  EXPECT_EQ(exit_code(Code::out_of_memory), 3);
  EXPECT_EQ(exit_code(Code::context_too_long), 3);
  EXPECT_EQ(exit_code(Code::cancelled), 130);
  for (const Code code :
       {Code::corrupt, Code::not_found, Code::unsupported, Code::unavailable, Code::queue_full})
    EXPECT_EQ(exit_code(code), 1);
}

}  // namespace
}  // namespace quern::cli
