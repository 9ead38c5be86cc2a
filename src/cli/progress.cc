#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "cli/terminal.h"

namespace quern::cli {

namespace {

constexpr auto kPatience = std::chrono::milliseconds(1000);
constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr int kBar = 30;  // columns

}  // namespace

Progress::Progress()
    : enabled_(is_terminal(STDERR_FILENO)), begin_(Clock::now()), last_(begin_ - kInterval) {}

void Progress::update(double done, std::string_view what) {
  if (!enabled_) return;
  const auto now = Clock::now();
  if (now - begin_ < kPatience || now - last_ < kInterval) return;
  last_ = now;
  done = std::clamp(done, 0.0, 1.0);
  const int full = static_cast<int>(done * kBar);
  const std::string line = fmt::format("[{:#<{}}{:.<{}}] {:3.0f} %  {}", "", full, "", kBar - full,
                                       100 * done, without_controls(what));
  const size_t room = static_cast<size_t>(std::max(terminal_width(STDERR_FILENO) - 1, 1));
  fmt::print(stderr, "\r\033[K{}", line.substr(0, room));
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace quern::cli
