// Properties of a stream of this process: whether it is a terminal, its width, its colours.
#pragma once
#include <string>
#include <string_view>

namespace quern::cli {

bool is_terminal(int fd);
int terminal_width(int fd);  // columns; 80 where unknown

// Escape sequences, or empty strings where colours are off: not a terminal, NO_COLOR set to
// anything, or TERM=dumb.
struct Palette {
  std::string_view bold, dim, red, green, yellow, cyan, reset;
};
const Palette& palette(int fd);

// A terminal acts on control characters; a model's output must not control it. Everything but
// newline and tab among C0, DEL and C1 becomes U+FFFD. `text` is whole UTF-8 characters.
std::string without_controls(std::string_view text);

}  // namespace quern::cli
