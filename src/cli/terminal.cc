#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace quern::cli {

namespace {

constexpr Palette kPlain{};
constexpr Palette kColours{"\033[1m",  "\033[2m",  "\033[31m", "\033[32m",
                           "\033[33m", "\033[36m", "\033[0m"};

bool colours_wanted(int fd) {
  if (!is_terminal(fd)) return false;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color && *no_color) return false;
  const char* term = std::getenv("TERM");
  return term && *term && std::string_view(term) != "dumb";
}

}  // namespace

bool is_terminal(int fd) { return isatty(fd) == 1; }

int terminal_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

const Palette& palette(int fd) { return colours_wanted(fd) ? kColours : kPlain; }

std::string without_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) ++i;
    if (c1 || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
      out += "\xef\xbf\xbd";
    else
      out += text[i];
  }
  return out;
}

}  // namespace quern::cli
